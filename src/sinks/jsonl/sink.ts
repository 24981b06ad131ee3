import { resolve } from 'node:path';
import { isTemporaryName } from '../../core/durable-file.js';
import { EmbatchError } from '../../core/errors.js';
import { sweepLeftovers } from '../../core/leftovers.js';
import { assertSameSpace, parseIndexInfo } from '../../core/recipe.js';
import { notPrepared, refusalOf } from '../../core/row-check.js';
import { factsOf } from '../../core/row-facts.js';
import { parseS3Uri } from '../../core/s3.js';
import type {
  Abortable,
  IndexInfo,
  Row,
  RowFacts,
  Sink,
  SinkContext,
  SinkLimits,
  StaleRows,
  WriteOutcome,
} from '../../core/interfaces.js';
import { compactParts } from './compaction.js';
import { labelsOfLine, rowOfLine } from './lines.js';
import { createLocalPlace } from './local-place.js';
import { rowsWithIds } from './look-up.js';
import { isOfShard, parsed, partsOf, type Part } from './parts.js';
import type { Place } from './place.js';
import { RowLog } from './row-log.js';
import { currentLines } from './standing.js';

export interface JsonlOptions {
  /** Bounds of one write; undefined means what suits files. */
  readonly maxRows?: number | undefined;
  readonly maxBytes?: number | undefined;
}

const SCHEME = 'jsonl:';
const RECIPE = 'recipe.json';
/** Every write waits for the disk once. */
const MAX_ROWS = 1000;
const MAX_BYTES = 16 * 2 ** 20;
/** Of a number in a vector, as text and with its comma. */
const NUMBER_BYTES = 13;
const ROW_OVERHEAD_BYTES = 700;

/**
 * The index as plain `*.jsonl` files in a folder or below an S3 prefix, `recipe.json` beside them: `jsonl:DIR`. A
 * file cannot replace a row: the last one of an id counts, and `finish` removes the others. It cannot search.
 */
export function createJsonlSink(uri: string, options: JsonlOptions, context: SinkContext): Sink {
  return new JsonlSink(uri, options, context);
}

class JsonlSink implements Sink {
  readonly uri: string;
  readonly limits: SinkLimits;
  readonly leaseUri: string;
  readonly #context: SinkContext;
  /** undefined on S3, where nothing is made under another name. */
  readonly #folder: string | undefined;
  readonly #openPlace: () => Promise<Place>;
  #place: Promise<Place> | undefined;
  #log: RowLog | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #info: IndexInfo | undefined;

  constructor(uri: string, { maxRows = MAX_ROWS, maxBytes = MAX_BYTES }: JsonlOptions, context: SinkContext) {
    const dir = uri.startsWith(SCHEME) ? uri.slice(SCHEME.length).replace(/(?<=[^/])\/+$/, '') : '';
    const location = parseS3Uri(dir);
    if (dir === '' || (location === undefined && dir.includes('://'))) {
      throw new EmbatchError(
        'USAGE',
        `${uri} names no place for files; write jsonl:FOLDER or jsonl:s3://BUCKET/PREFIX`,
      );
    }
    this.uri = uri;
    this.limits = { maxRows, maxBytes, concurrency: 1 };
    this.#folder = location === undefined ? resolve(dir) : undefined;
    this.leaseUri = `${this.#folder ?? dir}/.embatch`;
    this.#context = context;
    this.#openPlace = async () => {
      if (location === undefined) return createLocalPlace(dir);
      const { createS3Place } = await import('./s3-place.js');
      return createS3Place(location);
    };
  }

  async inspect(options: Abortable = {}): Promise<IndexInfo | undefined> {
    return this.#guarded('reading the index', options, async (place) => {
      this.#info = await this.#readInfo(place, options);
      return this.#info;
    });
  }

  async prepare(
    wanted: IndexInfo,
    options: Abortable & { readonly recreate?: boolean } = {},
  ): Promise<IndexInfo> {
    return this.#guarded('creating the index', options, async (place) => {
      let info = await this.#readInfo(place, options);
      if (info !== undefined && options.recreate === true) {
        await this.#drop(place, options);
        info = undefined;
      }
      if (info === undefined) {
        await place.create(RECIPE, Buffer.from(`${JSON.stringify(wanted, null, 2)}\n`), options);
        // Ours, or that of the shard that was first.
        info = await this.#readInfo(place, options);
      }
      if (info === undefined)
        throw new EmbatchError('SINK', `${this.uri}: ${RECIPE} was removed as it was made`);
      assertSameSpace(info, wanted, this.uri);
      this.#info = info;
      await this.#sweep();
      return info;
    });
  }

  sizeOf(row: Row): number {
    const { fields } = row.metadata;
    return (
      ROW_OVERHEAD_BYTES +
      Buffer.byteLength(row.text) +
      NUMBER_BYTES * row.vector.length +
      (fields === undefined ? 0 : JSON.stringify(fields).length)
    );
  }

  async write(rows: readonly Row[], options: Abortable = {}): Promise<readonly WriteOutcome[]> {
    return this.#inTurn('writing rows', options, async (place) => {
      const { dimensions } = this.#opened();
      const refusals = rows.map((row) => refusalOf(row, dimensions));
      const good = rows.filter((_, n) => refusals[n] === undefined);
      if (good.length > 0) await this.#logIn(place).append(good, options);
      return refusals.map((reason): WriteOutcome =>
        reason === undefined ? { ok: true, attempts: 1 } : { ok: false, attempts: 1, reason },
      );
    });
  }

  async removeRows(stale: readonly StaleRows[], options: Abortable = {}): Promise<number> {
    return this.#inTurn('removing rows', options, async (place) => {
      this.#opened();
      return stale.length === 0 ? 0 : this.#logIn(place).remove(stale, options);
    });
  }

  async finish(options: Abortable & { readonly lastWriter?: boolean } = {}): Promise<void> {
    await this.#inTurn('compacting the files', options, async (place) => {
      // A file that is replaced must not be appended to: what comes later goes into another.
      await this.#log?.end();
      const parts = await this.#parts(place, options);
      const { shard, log } = this.#context;
      const alone = options.lastWriter === true || shard.count === 1;
      const mine = alone ? parts : parts.filter((part) => isOfShard(part, shard));
      const { rows, torn } = await compactParts(place, mine, alone, options);
      log.debug(`${this.uri}: took out ${rows} rows that did not count any more and ${torn} that were torn`);
    });
  }

  async get(ids: readonly string[], options: Abortable = {}): Promise<readonly Row[]> {
    return this.#guarded('reading rows', options, async (place) => {
      this.#opened();
      return ids.length === 0
        ? []
        : rowsWithIds(place, await this.#parts(place, options), new Set(ids), options);
    });
  }

  async *facts(options: Abortable = {}): AsyncGenerator<RowFacts, void, undefined> {
    for await (const labels of this.#current(labelsOfLine, options)) yield factsOf(labels);
  }

  async *scan(options: Abortable = {}): AsyncGenerator<Row, void, undefined> {
    yield* this.#current(rowOfLine, options);
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#log?.end();
    this.#log = undefined;
    const place = this.#place;
    this.#place = undefined;
    await (await place)?.close();
  }

  /** What `read` makes of each row that counts. */
  async *#current<T>(read: (bytes: Uint8Array) => T, options: Abortable): AsyncGenerator<T, void, undefined> {
    options.signal?.throwIfAborted();
    this.#opened();
    const place = await this.#opening();
    try {
      for await (const line of currentLines(place, await this.#parts(place, options), options))
        yield parsed(place, line, read);
    } catch (error) {
      throw this.#failure('reading the rows', place, options, error);
    }
  }

  /** USAGE where there are files, but not ours. */
  async #readInfo(place: Place, options: Abortable): Promise<IndexInfo | undefined> {
    const names = await place.list(options);
    if (names.includes(RECIPE)) {
      const pieces: Uint8Array[] = [];
      for await (const piece of place.read(RECIPE, options)) pieces.push(piece);
      const info = parseInfo(Buffer.concat(pieces).toString());
      if (info !== undefined) return info;
    } else if (!names.some((name) => name.endsWith('.jsonl'))) {
      return undefined;
    }
    throw new EmbatchError(
      'USAGE',
      `${this.uri} holds ${names.includes(RECIPE) ? `a ${RECIPE}` : '*.jsonl files'} that embatch did not make; ` +
        'it is left alone. Choose another folder',
    );
  }

  /** Rows first: without them what is left is an empty index, not one that is not ours. */
  async #drop(place: Place, options: Abortable): Promise<void> {
    await this.#log?.end();
    for (const { name } of await this.#parts(place, options)) await place.remove(name, options);
    await place.remove(RECIPE, options);
  }

  #opened(): IndexInfo {
    if (this.#info === undefined) throw notPrepared(this.uri);
    return this.#info;
  }

  #opening(): Promise<Place> {
    return (this.#place ??= this.#openPlace());
  }

  async #parts(place: Place, options: Abortable): Promise<Part[]> {
    return partsOf(await place.list(options));
  }

  async #sweep(): Promise<void> {
    const { log } = this.#context;
    const location = this.#folder;
    if (location !== undefined)
      await sweepLeftovers({ location, isUnfinished: isTemporaryName, leaseFolder: this.leaseUri, log });
  }

  #logIn(place: Place): RowLog {
    return (this.#log ??= new RowLog(place, this.#context));
  }

  /** One call after the other: where a line stands says what it counts against. */
  #inTurn<T>(doing: string, options: Abortable, work: (place: Place) => Promise<T>): Promise<T> {
    const turn = this.#turn.then(() => this.#guarded(doing, options, work));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #guarded<T>(doing: string, options: Abortable, work: (place: Place) => Promise<T>): Promise<T> {
    options.signal?.throwIfAborted();
    const place = await this.#opening();
    try {
      return await work(place);
    } catch (error) {
      throw this.#failure(doing, place, options, error);
    }
  }

  #failure(doing: string, place: Place, { signal }: Abortable, error: unknown): unknown {
    if (signal?.aborted === true) return signal.reason;
    if (error instanceof EmbatchError) return error;
    return new EmbatchError('SINK', `${this.uri}: ${doing} failed: ${place.explain(error)}`, {
      cause: error,
    });
  }
}

function parseInfo(text: string): IndexInfo | undefined {
  try {
    return parseIndexInfo(JSON.parse(text));
  } catch {
    return undefined;
  }
}
