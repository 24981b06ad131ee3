/**
 * The parts of embatch and what they promise each other. Read this page first.
 *
 *   Source ─► shard ─► Part ─► [worker: Document ─► Chunk ─► vector] ─► Row ─► Sink
 *
 * Everything that takes a `signal` checks it before it starts, stops soon after it fires and rejects with
 * the signal's reason. Failures are `EmbatchError`s (errors.ts); retries happen inside the implementation,
 * so a caller that sees an error need not try again.
 */

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
  open(object: SourceObject, options?: Abortable): Promise<OpenObject>;
}

export interface Closable {
  /** Ends connections. Idempotent; never throws for work already acknowledged. */
  close(): Promise<void>;
}

// ── Documents and chunks ─────────────────────────────────────────────────────────────────────────────

/**
 * Names a document within its object: null where the object is one document; for JSONL and CSV the byte
 * offset of the record in the decompressed object; `{ id }` where an id field is used.
 */
export type RecordKey = null | number | { readonly id: string };

/** Bytes for a worker: one whole object, decompressed, or some whole records of it. */
export interface Part {
  /** How to parse it; a name of document/formats.ts. */
  readonly format: string;
  /** WHATWG label of the text encoding, a byte-order mark having the first word. */
  readonly encoding: string;
  /** In a buffer of their own, so that they can be moved to another thread. */
  readonly bytes: Uint8Array;
  /** Position of the first byte in the decompressed object. */
  readonly offset: number;
  /** CSV and TSV: the names of the header row, which is in no part's `bytes`. */
  readonly columns?: readonly string[];
}

/** What reading an object gives, in the order of the bytes. */
export type PartOutcome =
  | { readonly kind: 'part'; readonly part: Part }
  /** The whole object is left out, and counted: `empty`, or `type:application/pdf`. */
  | { readonly kind: 'skipped'; readonly reason: string }
  /** A dead letter: one record, or the whole object where `record` is null. */
  | { readonly kind: 'failed'; readonly record: RecordKey; readonly reason: string };

/** What parsing a part gives, in the order of the records. */
export type DocumentOutcome =
  | {
      readonly kind: 'document';
      readonly document: Document;
      /** Which fields text and id were taken from, for the summary; undefined where there are no fields. */
      readonly mapping: string | undefined;
      /** What `record` would be without the id that it is: failures to read a record can name no other. */
      readonly position?: number;
    }
  | {
      readonly kind: 'skipped';
      readonly record: RecordKey;
      readonly reason: string;
      readonly position?: number;
    }
  | { readonly kind: 'failed'; readonly record: RecordKey; readonly reason: string };

export interface ParsedPart {
  readonly outcomes: readonly DocumentOutcome[];
  /** Replacement characters that stand for bytes invalid in the part's encoding. */
  readonly invalidBytes: number;
}

/** Which fields of a record hold what; undefined means: try the usual names. */
export interface FieldMapping {
  readonly textField: string | undefined;
  readonly idField: string | undefined;
  readonly titleField: string | undefined;
}

export interface Heading {
  /** Position in the text, in UTF-16 code units. */
  readonly start: number;
  /** 1 to 6. */
  readonly level: number;
  readonly text: string;
}

/** One logical text from an object. */
export interface Document {
  readonly record: RecordKey;
  /** The extracted text; chunk offsets count in it. */
  readonly text: string;
  readonly title: string | undefined;
  /** Ascending by `start`. */
  readonly headings: readonly Heading[];
  /** Own fields of the record, or of front matter, that are neither text, id nor title; undefined without any. */
  readonly fields: Readonly<Record<string, unknown>> | undefined;
}

/** A piece of a document that gets one vector. */
export interface Chunk {
  /** Exactly `text.slice(start, end)` of the document when counted in code points. */
  readonly text: string;
  /** Offsets in Unicode code points, end exclusive. */
  readonly start: number;
  readonly end: number;
  /** The headings above the first character, outermost first, joined by ` > `. */
  readonly heading: string | undefined;
  /** What is embedded: prompt and template filled in, then tokenised with special tokens. */
  readonly tokenIds: Int32Array;
  /** Tokens that `--overflow truncate` cut off; else 0. */
  readonly truncatedTokens: number;
}

export type ChunkOutcome =
  | { readonly ok: true; readonly chunks: readonly Chunk[] }
  /** `--overflow fail`: the document is longer than the model takes. */
  | { readonly ok: false; readonly reason: string };

export interface Chunker {
  /** Deterministic; together the chunks cover all of the text but white space between them. */
  chunk(document: Document): Promise<ChunkOutcome>;
}

export interface Tokenizer {
  /** Special tokens that {@link encode} adds to each text. */
  readonly specialTokens: number;
  /** How many of them stand behind the text. */
  readonly closingTokens: number;
  /** Tokens of each text without special tokens. */
  count(texts: readonly string[]): Promise<number[]>;
  /** Ids of each text with special tokens, of any length: truncation and padding are never applied. */
  encode(texts: readonly string[]): Promise<Int32Array[]>;
}

// ── Rows and sinks ───────────────────────────────────────────────────────────────────────────────────

/** Field names are the stored ones (docs/design.md §8), hence the snake case. */
export interface Metadata {
  /** Object URI. */
  readonly source: string;
  readonly key: string;
  readonly etag: string;
  /** ISO 8601, UTC. */
  readonly last_modified: string;
  readonly content_type?: string;
  readonly title?: string;
  /** Record id, else offset, where the object has records. */
  readonly record?: string | number;
  /** Ordinal of the chunk in its document, from 0, and how many there are. */
  readonly chunk: number;
  readonly chunks: number;
  /** Offsets into the extracted text in Unicode code points, end exclusive. */
  readonly start: number;
  readonly end: number;
  readonly heading?: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** What a sink stores for one chunk. */
export interface Row {
  /** See ids.ts; the primary key. */
  readonly id: string;
  readonly text: string;
  /** [dimensions], float32, finite. */
  readonly vector: Float32Array;
  readonly metadata: Metadata;
  readonly embatch: {
    readonly id: string;
    /** Hash of the object URI. */
    readonly object: string;
    readonly version: string;
    readonly fingerprint: string;
  };
}

/** What an index knows of itself; stored in it (`_meta.embatch`, table metadata, `recipe.json`). */
export interface IndexInfo {
  /** Random, new with every index: a dropped and re-created one is told apart. */
  readonly indexId: string;
  readonly dimensions: number;
  /** `space-text`, see recipe.ts. */
  readonly fingerprint: string;
  readonly recipe: Recipe;
}

export type JsonValue =
  null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** Everything that decides a vector's value (docs/design.md §5): two halves of plain JSON. */
export interface Recipe {
  /** What decides the vector of a given text. Holds at least `model` and `dimensions`. */
  readonly space: { readonly [key: string]: JsonValue };
  /** What text is cut out of a document. */
  readonly text: { readonly [key: string]: JsonValue };
}

export type WriteOutcome =
  | { readonly ok: true; readonly attempts: number }
  /** Refused for good, in the sink's own words. */
  | { readonly ok: false; readonly attempts: number; readonly reason: string };

/** Rows of one object that must go: all of them, or all but those of one version, cut in one way. */
export interface StaleRows {
  /** Hash of the object URI, as in `Row.embatch`. */
  readonly object: string;
  /** undefined where nothing stays. */
  readonly keep: { readonly version: string; readonly fingerprint: string } | undefined;
}

/** What a row says of itself, without its text and vector: enough to prove that an index is whole. */
export interface RowFacts {
  readonly id: string;
  /** Object URI. */
  readonly source: string;
  readonly record: string | number | undefined;
  /** Ordinal of the chunk in its document, and how many there are. */
  readonly chunk: number;
  readonly chunks: number;
  readonly version: string;
  readonly fingerprint: string;
}

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
