/**
 * The parts of embatch and what they promise each other. Read this page first.
 *
 *   Source ─► shard ─► Part ─► [worker: Document ─► Chunk ─► vector] ─► Row ─► Sink
 *
 * Everything that takes a `signal` checks it before it starts, stops soon after it fires and rejects with
 * the signal's reason. Failures are `EmbatchError`s (errors.ts); retries happen inside the implementation,
 * so a caller that sees an error need not try again.
 */

import type { IndexInfo, Metadata, Row, RowFacts, StaleRows, WriteOutcome } from './rows.js';

export type * from './documents.js';
export type * from './rows.js';

export interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

/** Where implementations report. The level says who must act: error, an operator; warn, it recovered. */
export interface Logger {
  debug(message: string, details?: Record<string, unknown>): void;
  info(message: string, details?: Record<string, unknown>): void;
  warn(message: string, details?: Record<string, unknown>): void;
  error(message: string, details?: Record<string, unknown>): void;
}

// ── Source ───────────────────────────────────────────────────────────────────────────────────────────

/** A key of the source as the listing saw it. */
export interface SourceObject {
  /** Exactly as in the bucket; for folders the path relative to the root, with `/`. */
  readonly key: string;
  /** Bytes as stored; -1 where the listing could not even tell that: opening the object says why. */
  readonly size: number;
  /** Changes whenever the content does: the ETag without quotes; for files size and modification time. */
  readonly version: string;
  /** ISO 8601, UTC. */
  readonly lastModified: string;
  /** Set where the object cannot be read as it is (`archived`): counted as skipped, not opened. */
  readonly skip?: string;
}

/** A part of a large object, cut at bytes: the records that begin in it. */
export interface RecordRange {
  /** Ordinal, and how many there are. */
  readonly index: number;
  readonly count: number;
  /** Bytes, end exclusive. */
  readonly start: number;
  readonly end: number;
}

export interface OpenObject {
  /** What is read: the listed object or, where it changed since, its new version. */
  readonly object: SourceObject;
  /** As the store gives it; undefined where it has none. */
  readonly contentType: string | undefined;
  /** Bytes as stored, once; must be read to the end or returned. Resumes by range after a broken read. */
  readonly body: AsyncIterable<Uint8Array>;
}

export interface Source extends Closable {
  /** `s3://bucket`, or `--source-id`, or `file://` and the real path of the folder. No final slash. */
  readonly id: string;
  /** For messages: what the user typed. */
  readonly uri: string;
  /** `open` takes `from`: large objects can be shared out by ranges of records. Absent: they cannot. */
  readonly opensRanges?: boolean;
  /** Every object once, ascending by the UTF-8 bytes of its key, folder markers left out. Error: SOURCE. */
  list(options?: Abortable): AsyncIterable<SourceObject>;
  /**
   * Whether an object with this key would have been listed, if there were one: whether its absence says that it is gone.
   * `filters: false` asks whether it lies below this source at all.
   */
  covers(key: string, options?: { readonly filters?: boolean }): Promise<boolean>;
  /**
   * Opens the listed version and no other: when it changed, the new one is looked up and opened.
   * Errors that concern this object only: OBJECT_GONE, OBJECT_DENIED, OBJECT_UNREADABLE; else SOURCE.
   */
  open(object: SourceObject, options?: OpenOptions): Promise<OpenObject>;
}

export interface OpenOptions extends Abortable {
  /** The body begins at this byte of the object; by default at 0. */
  readonly from?: number;
}

export interface Closable {
  /** Ends connections. Idempotent; never throws for work already acknowledged. */
  close(): Promise<void>;
}

// ── Sinks ────────────────────────────────────────────────────────────────────────────────────────────

export interface SinkLimits {
  /** Upper bounds of one `write`. Bytes are those of the row as the sink sends it, see `Sink.sizeOf`. */
  readonly maxRows: number;
  readonly maxBytes: number;
  /** `write` calls that may be under way at once. */
  readonly concurrency: number;
}

export interface Hit {
  readonly id: string;
  /** Cosine similarity, -1 to 1; higher is nearer. */
  readonly score: number;
  readonly text: string;
  readonly metadata: Metadata;
}

/** What a sink's factory is told of the run that opens it. */
export interface SinkContext {
  readonly log: Logger;
  /** Time-ordered id of the run, such as `20261121t100000z-4f1c`. */
  readonly run: string;
  readonly shard: { readonly index: number; readonly count: number };
}

/** Life: `inspect` or `prepare`, then `write` and `removeRows` any number of times, `finish`, `close`. Main thread only. */
export interface Sink extends Closable {
  /** For messages and summaries; without secrets. */
  readonly uri: string;
  readonly limits: SinkLimits;
  /**
   * Folder or `s3://` prefix that leases must lie in, where two writers of one new id at once would leave
   * duplicates; undefined where the store itself keeps ids unique.
   */
  readonly leaseUri: string | undefined;
  /** What the index says of itself; undefined where there is none. USAGE where it is not ours. */
  inspect(options?: Abortable): Promise<IndexInfo | undefined>;
  /**
   * Creates the index for `wanted`, or opens the one that is there. Safe when several shards do so at once:
   * one creates, all get the same info. `recreate` drops first.
   * USAGE: another space, another dimension, not ours. SINK: unreachable, unauthorised.
   */
  prepare(wanted: IndexInfo, options?: Abortable & { readonly recreate?: boolean }): Promise<IndexInfo>;
  /** Bytes that a row costs in one `write`; cheap, may overestimate. */
  sizeOf(row: Row): number;
  /**
   * Upserts rows with distinct ids; resolves with one outcome per row, in order, when all are durable or
   * refused for good. Temporary refusals are retried inside. SINK when the store did not recover.
   */
  write(rows: readonly Row[], options?: Abortable): Promise<readonly WriteOutcome[]>;
  /**
   * Removes rows, also those that were acknowledged a moment ago, and resolves with their number when that is durable.
   * A row that another writer replaces meanwhile may stay. Idempotent. SINK when the store did not recover.
   */
  removeRows(stale: readonly StaleRows[], options?: Abortable): Promise<number>;
  /** Makes everything written searchable. `lastWriter` is true when no other shard still writes. */
  finish(options?: Abortable & { readonly lastWriter?: boolean }): Promise<void>;
  /** The `k` rows nearest to `vector`, best first. Absent where the sink cannot search. */
  search?(vector: Float32Array, k: number, options?: Abortable): Promise<readonly Hit[]>;
  /** The rows with these ids, in no order; those that are not there are left out. */
  get(ids: readonly string[], options?: Abortable): Promise<readonly Row[]>;
  /** What each stored row says of itself, in no order; two rows with one id are two. */
  facts(options?: Abortable): AsyncIterable<RowFacts>;
  /** Every row once, in no order: for tests and exports. */
  scan(options?: Abortable): AsyncIterable<Row>;
}

// ── State ────────────────────────────────────────────────────────────────────────────────────────────

/** Small named blobs in a folder or under an S3 prefix. Names use `/`. Error: STATE. */
export interface StateStore extends Closable {
  readonly uri: string;
  /** undefined where there is no such name. */
  get(name: string, options?: Abortable): Promise<Uint8Array | undefined>;
  /** Replaces atomically: a reader sees the old or the new, never a part. */
  put(name: string, bytes: Uint8Array | string, options?: Abortable): Promise<void>;
  /** Creates; false, and nothing written, where the name exists. One of several racing callers gets true. */
  putIfAbsent(name: string, bytes: Uint8Array | string, options?: Abortable): Promise<boolean>;
  /** Idempotent. */
  delete(name: string, options?: Abortable): Promise<void>;
  /** Names that begin with `prefix`, ascending by UTF-8 bytes. */
  list(prefix: string, options?: Abortable): Promise<string[]>;
}
