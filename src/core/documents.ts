/** Documents and chunks: what workers make of the bytes of an object. */

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
