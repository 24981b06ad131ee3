/** Rows: what a sink stores for one chunk, and what an index says of itself. */

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
