import { resolve } from 'node:path';
import { EmbatchError } from '../../core/errors.js';
import { assertSameSpace, parseIndexInfo } from '../../core/recipe.js';
import { notPrepared, refusalOf } from '../../core/row-check.js';
import { parseS3Uri } from '../../core/s3.js';
import type {
  Abortable,
  IndexInfo,
  Row,
  Sink,
  SinkContext,
  SinkLimits,
  WriteOutcome,
} from '../../core/interfaces.js';
import { lineOfRow, rowOfLine } from './lines.js';
import { createLocalPlace } from './local-place.js';
import {
  compactParts,
  labelOf,
  lastLines,
  linesOfPart,
  parsed,
  partNames,
  partsOf,
  type Part,
} from './parts.js';
import type { Appender, Place } from './place.js';

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
  readonly #openPlace: () => Promise<Place>;
  readonly #nextName: () => string;
  #place: Promise<Place> | undefined;
  #appender: Appender | undefined;
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
    this.leaseUri = `${location === undefined ? resolve(dir) : dir}/.embatch`;
    this.#context = context;
    this.#nextName = partNames(context);
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
    return this.#guarded('writing rows', options, async (place) => {
      const { dimensions } = this.#opened();
      const lines: string[] = [];
      const outcomes = rows.map((row): WriteOutcome => {
        const reason = refusalOf(row, dimensions);
        if (reason !== undefined) return { ok: false, attempts: 1, reason };
        lines.push(lineOfRow(row));
        return { ok: true, attempts: 1 };
      });
      if (lines.length > 0) {
        this.#appender ??= place.append(this.#nextName);
        await this.#appender.write(Buffer.from(lines.join('')), options);
      }
      return outcomes;
    });
  }

  async finish(options: Abortable & { readonly lastWriter?: boolean } = {}): Promise<void> {
    await this.#guarded('compacting the files', options, async (place) => {
      // A file that is replaced must not be appended to: what comes later goes into another.
      await this.#endAppending();
      const parts = partsOf(await place.list(options));
      const { shard, log } = this.#context;
      const alone = options.lastWriter === true || shard.count === 1;
      const mine = alone ? parts : parts.filter(({ label }) => label === labelOf(shard));
      const { superseded, torn } = await compactParts(place, mine, options);
      log.debug(`${this.uri}: removed ${superseded} rows that were replaced and ${torn} that were torn`);
    });
  }

  async *scan(options: Abortable = {}): AsyncGenerator<Row, void, undefined> {
    options.signal?.throwIfAborted();
    this.#opened();
    const place = await this.#opening();
    try {
      const parts = partsOf(await place.list(options));
      const last = await lastLines(place, parts, options);
      let position = 0;
      for (const part of parts) yield* this.#rowsOf(place, part, () => position++, last, options);
    } catch (error) {
      throw this.#failure('reading the rows', place, options, error);
    }
  }

  async close(): Promise<void> {
    await this.#endAppending();
    const place = this.#place;
    this.#place = undefined;
    await (await place)?.close();
  }

  async *#rowsOf(
    place: Place,
    part: Part,
    next: () => number,
    last: ReadonlyMap<string, number>,
    options: Abortable,
  ): AsyncGenerator<Row> {
    for await (const { bytes, complete } of linesOfPart(place, part, options)) {
      options.signal?.throwIfAborted();
      const position = next();
      if (!complete) continue;
      const row = parsed(place, part, position, () => rowOfLine(bytes));
      if (last.get(row.id) === position) yield row;
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
    await this.#endAppending();
    for (const { name } of partsOf(await place.list(options))) await place.remove(name, options);
    await place.remove(RECIPE, options);
  }

  #opened(): IndexInfo {
    if (this.#info === undefined) throw notPrepared(this.uri);
    return this.#info;
  }

  #opening(): Promise<Place> {
    return (this.#place ??= this.#openPlace());
  }

  async #endAppending(): Promise<void> {
    const appender = this.#appender;
    this.#appender = undefined;
    await appender?.close();
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
