import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Table } from '@lancedb/lancedb';
import type { RecordBatch } from 'apache-arrow';
import { EmbatchError } from '../../core/errors.js';
import { sweepLeftovers } from '../../core/leftovers.js';
import { assertSameSpace } from '../../core/recipe.js';
import { refusalOf } from '../../core/row-check.js';
import type {
  Abortable,
  Hit,
  IndexInfo,
  Row,
  RowFacts,
  Sink,
  SinkContext,
  SinkLimits,
  StaleRows,
  WriteOutcome,
} from '../../core/interfaces.js';
import { lanceDbConfig, type LanceDbConfig, type LanceDbOptions } from './config.js';
import { TABLE, isStagingName } from './create-once.js';
import { sinkError } from './failures.js';
import { IndexHandle } from './index-handle.js';
import { IDS_PER_QUERY, idsPredicate, stalePredicates } from './predicates.js';
import { compact, dropDuplicates, ensureVectorIndex, probesFor } from './upkeep.js';

/** Columns other than text and vector, roughly. */
const ROW_OVERHEAD_BYTES = 500;

/**
 * The index as one LanceDB table `chunks` in a folder or below an S3 prefix: `lancedb:DIR`. The native library
 * is loaded by the first call; it lives on the main thread, as it may crash in a worker that ends.
 */
export function createLanceDbSink(uri: string, options: LanceDbOptions, context: SinkContext): Sink {
  return new LanceDbSink(lanceDbConfig(uri, options), context);
}

class LanceDbSink implements Sink {
  readonly uri: string;
  readonly limits: SinkLimits;
  readonly leaseUri: string;
  readonly #config: LanceDbConfig;
  readonly #context: SinkContext;
  readonly #index: IndexHandle;

  constructor(config: LanceDbConfig, context: SinkContext) {
    this.#config = config;
    this.#context = context;
    this.#index = new IndexHandle(config, context.log);
    this.uri = config.uri;
    this.limits = config.limits;
    this.leaseUri = `${config.location}/.embatch`;
  }

  async inspect({ signal }: Abortable = {}): Promise<IndexInfo | undefined> {
    return this.#guarded('opening the table', signal, async () => {
      // To connect would create the folder.
      if (this.#config.isLocal && !existsSync(join(this.#config.location, `${TABLE}.lance`)))
        return undefined;
      return (await this.#index.open())?.info;
    });
  }

  async prepare(
    wanted: IndexInfo,
    options: Abortable & { readonly recreate?: boolean } = {},
  ): Promise<IndexInfo> {
    return this.#guarded('creating the table', options.signal, async () => {
      let index = await this.#index.open();
      if (index !== undefined && options.recreate === true) {
        await this.#index.drop();
        index = undefined;
      }
      const { info } = index ?? (await this.#index.create(wanted, options.signal));
      assertSameSpace(info, wanted, this.uri);
      if (this.#config.isLocal) await this.#sweep();
      return info;
    });
  }

  sizeOf(row: Row): number {
    return ROW_OVERHEAD_BYTES + Buffer.byteLength(row.text) + row.vector.byteLength + fieldsSize(row);
  }

  async write(rows: readonly Row[], { signal }: Abortable = {}): Promise<readonly WriteOutcome[]> {
    return this.#guarded('writing rows', signal, async () => {
      const { info } = this.#index.current;
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

  async removeRows(stale: readonly StaleRows[], { signal }: Abortable = {}): Promise<number> {
    return this.#guarded('removing rows', signal, async () => {
      let removed = 0;
      for (const predicate of stalePredicates(stale)) {
        const { result } = await this.#index.retried(signal, async ({ table }) => {
          await table.checkoutLatest();
          // To look first saves a version of the table for each group of which nothing is stale, as most are.
          if ((await table.countRows(predicate)) === 0) return 0;
          return (await table.delete(predicate)).numDeletedRows;
        });
        removed += result;
      }
      return removed;
    });
  }

  async finish({
    signal,
    lastWriter = false,
  }: Abortable & { readonly lastWriter?: boolean } = {}): Promise<void> {
    const { log } = this.#context;
    const { indexFromRows } = this.#config;
    await this.#guarded('compacting the table', signal, async () => {
      await this.#index.retried(signal, async ({ table }) => {
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
      const { info } = this.#index.current;
      if (vector.length !== info.dimensions) {
        throw new EmbatchError(
          'USAGE',
          `${this.uri} holds vectors of ${info.dimensions} dimensions, the query has ${vector.length}`,
        );
      }
      if (k < 1) return [];
      const { hitsOfBatch } = await import('./records.js');
      const { result } = await this.#index.retried(signal, async ({ table }) => {
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

  async get(ids: readonly string[], { signal }: Abortable = {}): Promise<readonly Row[]> {
    return this.#guarded('reading rows', signal, async () => {
      const { rowsOfBatch } = await import('./records.js');
      const distinct = [...new Set(ids)];
      const rows: Row[] = [];
      for (let start = 0; start < distinct.length; start += IDS_PER_QUERY) {
        const predicate = idsPredicate(distinct.slice(start, start + IDS_PER_QUERY));
        const { result } = await this.#index.retried(signal, async ({ table }) => {
          await table.checkoutLatest();
          const found: Row[] = [];
          for await (const batch of table.query().where(predicate)) found.push(...rowsOfBatch(batch));
          return found;
        });
        rows.push(...result);
      }
      return rows;
    });
  }

  async *facts(options: Abortable = {}): AsyncGenerator<RowFacts, void, undefined> {
    const { factColumns, factsOfBatch } = await import('./records.js');
    yield* this.#stream((table) => table.query().select(new Map(factColumns)), factsOfBatch, options);
  }

  async *scan(options: Abortable = {}): AsyncGenerator<Row, void, undefined> {
    const { rowsOfBatch } = await import('./records.js');
    yield* this.#stream((table) => table.query(), rowsOfBatch, options);
  }

  close(): Promise<void> {
    return this.#index.close();
  }

  async #sweep(): Promise<void> {
    const { location } = this.#config;
    const { log } = this.#context;
    await sweepLeftovers({ location, isUnfinished: isStagingName, leaseFolder: this.leaseUri, log });
  }

  /** What `read` gives of the newest version of the table, batch by batch. */
  async *#stream<T>(
    query: (table: Table) => AsyncIterable<RecordBatch>,
    read: (batch: RecordBatch) => Iterable<T>,
    { signal }: Abortable,
  ): AsyncGenerator<T, void, undefined> {
    signal?.throwIfAborted();
    const { table } = this.#index.current;
    try {
      await table.checkoutLatest();
      for await (const batch of query(table)) {
        for (const item of read(batch)) {
          signal?.throwIfAborted();
          yield item;
        }
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw sinkError(this.uri, 'reading the rows', error);
    }
  }

  /** Returns the attempts it took. */
  async #merge(rows: readonly Row[], signal: AbortSignal | undefined): Promise<number> {
    const { tableOfRows } = await import('./records.js');
    const data = tableOfRows(rows, this.#index.current.info);
    const { attempts } = await this.#index.retried(signal, ({ table }) =>
      table.mergeInsert('id').whenMatchedUpdateAll().whenNotMatchedInsertAll().execute(data),
    );
    return attempts;
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
