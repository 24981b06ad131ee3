import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Connection, Table } from '@lancedb/lancedb';
import { EmbatchError } from '../../core/errors.js';
import { assertSameSpace } from '../../core/recipe.js';
import { notPrepared, refusalOf } from '../../core/row-check.js';
import { sleep } from '../../core/streams.js';
import type {
  Abortable,
  Hit,
  IndexInfo,
  Row,
  Sink,
  SinkContext,
  SinkLimits,
  WriteOutcome,
} from '../../core/interfaces.js';
import { lanceDbConfig, type LanceDbConfig, type LanceDbOptions } from './config.js';
import { TABLE, createOnce } from './create-once.js';
import { isHopeless, isMissingTable, isUnfinishedTable, sinkError } from './failures.js';
import { compact, dropDuplicates, ensureVectorIndex, probesFor } from './upkeep.js';

/** Columns other than text and vector, roughly. */
const ROW_OVERHEAD_BYTES = 500;
const MAX_ATTEMPTS = 8;
const RETRY_BASE_MS = 50;
const RETRY_MAX_MS = 5000;
const MAX_LOOKS = 4;
const LOOK_AGAIN_MS = 50;

/**
 * The index as one LanceDB table `chunks` in a folder or below an S3 prefix: `lancedb:DIR`. The native library
 * is loaded by the first call; it lives on the main thread, as it may crash in a worker that ends.
 */
export function createLanceDbSink(uri: string, options: LanceDbOptions, context: SinkContext): Sink {
  return new LanceDbSink(lanceDbConfig(uri, options), context);
}

interface OpenIndex {
  readonly table: Table;
  readonly info: IndexInfo;
}

class LanceDbSink implements Sink {
  readonly uri: string;
  readonly limits: SinkLimits;
  readonly leaseUri: string;
  readonly #config: LanceDbConfig;
  readonly #context: SinkContext;
  #connection: Promise<Connection> | undefined;
  #index: OpenIndex | undefined;

  constructor(config: LanceDbConfig, context: SinkContext) {
    this.#config = config;
    this.#context = context;
    this.uri = config.uri;
    this.limits = config.limits;
    this.leaseUri = `${config.location}/.embatch`;
  }

  async inspect({ signal }: Abortable = {}): Promise<IndexInfo | undefined> {
    return this.#guarded('opening the table', signal, async () => {
      // To connect would create the folder.
      if (this.#config.isLocal && !existsSync(join(this.#config.location, `${TABLE}.lance`)))
        return undefined;
      return (await this.#open())?.info;
    });
  }

  async prepare(
    wanted: IndexInfo,
    options: Abortable & { readonly recreate?: boolean } = {},
  ): Promise<IndexInfo> {
    return this.#guarded('creating the table', options.signal, async () => {
      const existing = await this.#open();
      if (existing !== undefined && options.recreate !== true) {
        assertSameSpace(existing.info, wanted, this.uri);
        return existing.info;
      }
      if (existing !== undefined) await this.#drop();
      const created = await this.#create(wanted, options.signal);
      assertSameSpace(created.info, wanted, this.uri);
      return created.info;
    });
  }

  sizeOf(row: Row): number {
    return ROW_OVERHEAD_BYTES + Buffer.byteLength(row.text) + row.vector.byteLength + fieldsSize(row);
  }

  async write(rows: readonly Row[], { signal }: Abortable = {}): Promise<readonly WriteOutcome[]> {
    return this.#guarded('writing rows', signal, async () => {
      const { info } = this.#opened();
      const refusals = rows.map((row) => refusalOf(row, info.dimensions));
      // The last of several rows with one id: given twice, Lance would store it twice.
      const distinct = new Map(
        rows.flatMap((row, n) => (refusals[n] === undefined ? [[row.id, row] as const] : [])),
      );
      const attempts = distinct.size === 0 ? 1 : await this.#merge([...distinct.values()], signal);
      return refusals.map((reason): WriteOutcome =>
        reason === undefined ? { ok: true, attempts } : { ok: false, attempts: 1, reason },
      );
    });
  }

  async finish({
    signal,
    lastWriter = false,
  }: Abortable & { readonly lastWriter?: boolean } = {}): Promise<void> {
    const { log } = this.#context;
    const { indexFromRows } = this.#config;
    await this.#guarded('compacting the table', signal, async () => {
      await this.#retried(signal, async ({ table }) => {
        await table.checkoutLatest();
        if (lastWriter) {
          const dropped = await dropDuplicates(table);
          if (dropped > 0) {
            log.warn(`${this.uri} held ${dropped} rows whose id was there already; they were removed`);
          }
          await ensureVectorIndex(table, indexFromRows, log);
        }
        await compact(table, lastWriter, log);
      });
    });
  }

  async search(vector: Float32Array, k: number, { signal }: Abortable = {}): Promise<readonly Hit[]> {
    return this.#guarded('searching', signal, async () => {
      const { info } = this.#opened();
      if (vector.length !== info.dimensions) {
        throw new EmbatchError(
          'USAGE',
          `${this.uri} holds vectors of ${info.dimensions} dimensions, the query has ${vector.length}`,
        );
      }
      if (k < 1) return [];
      const { hitsOfBatch } = await import('./records.js');
      const { result } = await this.#retried(signal, async ({ table }) => {
        // A handle sees the version it was opened at.
        await table.checkoutLatest();
        const query = table
          .vectorSearch(vector)
          .distanceType('cosine')
          .nprobes(probesFor(await table.countRows()))
          .select(['id', 'text', 'metadata', '_distance'])
          .limit(k);
        const hits: Hit[] = [];
        for await (const batch of query) hits.push(...hitsOfBatch(batch));
        return hits;
      });
      return result;
    });
  }

  async *scan({ signal }: Abortable = {}): AsyncGenerator<Row, void, undefined> {
    signal?.throwIfAborted();
    const { table } = this.#opened();
    const { rowsOfBatch } = await import('./records.js');
    try {
      await table.checkoutLatest();
      for await (const batch of table.query()) {
        for (const row of rowsOfBatch(batch)) {
          signal?.throwIfAborted();
          yield row;
        }
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw sinkError(this.uri, 'reading the rows', error);
    }
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    this.#index?.table.close();
    this.#index = undefined;
    this.#connection = undefined;
    // One that could not be made has been reported by the call that needed it.
    await connection?.then(
      (made) => made.close(),
      () => undefined,
    );
  }

  #opened(): OpenIndex {
    if (this.#index === undefined) throw notPrepared(this.uri);
    return this.#index;
  }

  #connect(): Promise<Connection> {
    return (this.#connection ??= connectTo(this.#config, this.#config.location));
  }

  /** The table that is there, or undefined. USAGE where it is not ours. */
  async #open(): Promise<OpenIndex | undefined> {
    const table = await this.#openTable();
    if (table === undefined) return undefined;
    const info = await readInfo(table);
    if (info === undefined) {
      table.close();
      throw new EmbatchError(
        'USAGE',
        `${this.uri} holds a LanceDB table '${TABLE}' that embatch did not make; it is left alone. Choose another folder`,
      );
    }
    this.#index = { table, info };
    return this.#index;
  }

  async #openTable(): Promise<Table | undefined> {
    const connection = await this.#connect();
    for (let looks = 1; ; looks++) {
      try {
        return await connection.openTable(TABLE);
      } catch (error) {
        if (isMissingTable(error)) return undefined;
        if (!isUnfinishedTable(error)) throw error;
        // So does a table look that appears between the two looks that LanceDB itself takes.
        if (looks < MAX_LOOKS) await sleep(LOOK_AGAIN_MS);
        // On S3 a creation that was killed leaves one, and is done again.
        else if (this.#config.isLocal) throw error;
        else return undefined;
      }
    }
  }

  async #create(wanted: IndexInfo, signal: AbortSignal | undefined): Promise<OpenIndex> {
    const { tableSchema } = await import('./records.js');
    const config = this.#config;
    await createOnce({
      config,
      schema: tableSchema(wanted),
      signal,
      connect: (location) => connectTo(config, location),
    });
    // Ours, or that of the shard that was first.
    const created = await this.#open();
    if (created === undefined)
      throw new EmbatchError('SINK', `${this.uri} was dropped while it was made; run again`);
    return created;
  }

  async #drop(): Promise<void> {
    this.#index?.table.close();
    this.#index = undefined;
    try {
      await (await this.#connect()).dropTable(TABLE);
    } catch (error) {
      if (!isMissingTable(error)) throw error;
    }
  }

  /** Returns the attempts it took. */
  async #merge(rows: readonly Row[], signal: AbortSignal | undefined): Promise<number> {
    const { tableOfRows } = await import('./records.js');
    const data = tableOfRows(rows, this.#opened().info);
    const { attempts } = await this.#retried(signal, ({ table }) =>
      table.mergeInsert('id').whenMatchedUpdateAll().whenNotMatchedInsertAll().execute(data),
    );
    return attempts;
  }

  /** Repeats what failed on the newest version of the table: a handle whose files were pruned never recovers. */
  async #retried<T>(
    signal: AbortSignal | undefined,
    work: (index: OpenIndex) => Promise<T>,
  ): Promise<{ readonly result: T; readonly attempts: number }> {
    for (let attempts = 1; ; attempts++) {
      signal?.throwIfAborted();
      try {
        return { result: await work(this.#opened()), attempts };
      } catch (error) {
        if (attempts >= MAX_ATTEMPTS || isHopeless(error) || error instanceof EmbatchError) throw error;
        const limitMs = Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** attempts);
        this.#context.log.debug(`${this.uri}: attempt ${attempts} failed, trying again`, {
          error: String(error),
        });
        await sleep(limitMs * (0.5 + Math.random() / 2), signal);
        await this.#reopen();
      }
    }
  }

  /** SINK where the table is another one by now: what this run wrote is gone with the former. */
  async #reopen(): Promise<void> {
    const { table, info } = this.#opened();
    let now: OpenIndex | undefined;
    try {
      now = await this.#open();
    } catch (error) {
      // The attempt that follows meets it again, and counts.
      if (!(error instanceof EmbatchError)) return;
    }
    if (now?.info.indexId !== info.indexId) {
      throw new EmbatchError(
        'SINK',
        `${this.uri} was dropped or made anew while this run used it; run again`,
      );
    }
    table.close();
  }

  /**
   * A native call cannot be cancelled: it is left behind when the signal fires. That is safe, since rows may be
   * written twice.
   */
  async #guarded<T>(doing: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const running = work();
    try {
      return await (signal === undefined ? running : raceAbort(running, signal));
    } catch (error) {
      signal?.throwIfAborted();
      throw sinkError(this.uri, doing, error);
    }
  }
}

async function readInfo(table: Table): Promise<IndexInfo | undefined> {
  const { infoOfSchema } = await import('./records.js');
  return infoOfSchema((await table.schema()).metadata);
}

async function connectTo({ storageOptions }: LanceDbConfig, location: string): Promise<Connection> {
  const { connect } = await import('@lancedb/lancedb');
  return connect(location, { storageOptions: { ...storageOptions } });
}

function fieldsSize(row: Row): number {
  return row.metadata.fields === undefined ? 0 : JSON.stringify(row.metadata.fields).length;
}

function raceAbort<T>(running: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    running.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort);
    });
  });
}
