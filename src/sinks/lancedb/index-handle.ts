import type { Connection, Table } from '@lancedb/lancedb';
import { EmbatchError } from '../../core/errors.js';
import type { IndexInfo, Logger } from '../../core/interfaces.js';
import { notPrepared } from '../../core/row-check.js';
import { sleep } from '../../core/streams.js';
import type { LanceDbConfig } from './config.js';
import { TABLE, createOnce } from './create-once.js';
import { isHopeless, isMissingTable, isUnfinishedTable } from './failures.js';

const MAX_ATTEMPTS = 8;
const RETRY_BASE_MS = 50;
const RETRY_MAX_MS = 5000;
const MAX_LOOKS = 4;
const LOOK_AGAIN_MS = 50;

export interface OpenIndex {
  readonly table: Table;
  readonly info: IndexInfo;
}

/** The table as this process has it open, and what to do where it changes under us. */
export class IndexHandle {
  readonly #config: LanceDbConfig;
  readonly #log: Logger;
  #connection: Promise<Connection> | undefined;
  #index: OpenIndex | undefined;

  constructor(config: LanceDbConfig, log: Logger) {
    this.#config = config;
    this.#log = log;
  }

  /** What was opened last. Error: BUG where nothing was. */
  get current(): OpenIndex {
    if (this.#index === undefined) throw notPrepared(this.#config.uri);
    return this.#index;
  }

  /** The table that is there, or undefined. USAGE where it is not ours. */
  async open(): Promise<OpenIndex | undefined> {
    const table = await this.#openTable();
    if (table === undefined) return undefined;
    const info = await readInfo(table);
    if (info === undefined) {
      table.close();
      throw new EmbatchError(
        'USAGE',
        `${this.#config.uri} holds a LanceDB table '${TABLE}' that embatch did not make; it is left alone. Choose another folder`,
      );
    }
    this.#index = { table, info };
    return this.#index;
  }

  /** Makes the table unless it is there by now; what is opened may be that of the shard that was first. */
  async create(wanted: IndexInfo, signal: AbortSignal | undefined): Promise<OpenIndex> {
    const { tableSchema } = await import('./records.js');
    const config = this.#config;
    await createOnce({
      config,
      schema: tableSchema(wanted),
      signal,
      connect: (location) => connectTo(config, location),
    });
    const created = await this.open();
    if (created === undefined)
      throw new EmbatchError('SINK', `${config.uri} was dropped while it was made; run again`);
    return created;
  }

  /** Idempotent. */
  async drop(): Promise<void> {
    this.#index?.table.close();
    this.#index = undefined;
    try {
      await (await this.#connect()).dropTable(TABLE);
    } catch (error) {
      if (!isMissingTable(error)) throw error;
    }
  }

  /** Repeats what failed on the newest version of the table: a handle whose files were pruned never recovers. */
  async retried<T>(
    signal: AbortSignal | undefined,
    work: (index: OpenIndex) => Promise<T>,
  ): Promise<{ readonly result: T; readonly attempts: number }> {
    for (let attempts = 1; ; attempts++) {
      signal?.throwIfAborted();
      try {
        return { result: await work(this.current), attempts };
      } catch (error) {
        if (attempts >= MAX_ATTEMPTS || isHopeless(error) || error instanceof EmbatchError) throw error;
        const limitMs = Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** attempts);
        this.#log.debug(`${this.#config.uri}: attempt ${attempts} failed, trying again`, {
          error: String(error),
        });
        await sleep(limitMs * (0.5 + Math.random() / 2), signal);
        await this.#reopen();
      }
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

  /** SINK where the table is another one by now: what this run wrote is gone with the former. */
  async #reopen(): Promise<void> {
    const { table, info } = this.current;
    let now: OpenIndex | undefined;
    try {
      now = await this.open();
    } catch (error) {
      // The attempt that follows meets it again, and counts.
      if (!(error instanceof EmbatchError)) return;
    }
    if (now?.info.indexId !== info.indexId) {
      throw new EmbatchError(
        'SINK',
        `${this.#config.uri} was dropped or made anew while this run used it; run again`,
      );
    }
    table.close();
  }

  #connect(): Promise<Connection> {
    return (this.#connection ??= connectTo(this.#config, this.#config.location));
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
