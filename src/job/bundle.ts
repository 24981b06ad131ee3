import type { ChunkerOptions } from '../chunk/chunker.js';
import type { FieldMapping, Part, RecordKey, Row } from '../core/interfaces.js';
import type { Side } from '../embed/compute/encoder.js';
import type { Table } from '../embed/compute/table-encoder.js';
import type { Model } from '../embed/model/model.js';
import type { TokenizerBackend } from '../embed/tokenizer/backend.js';

/** Settings of every worker thread; plain data. */
export interface WorkerSettings {
  readonly model: Model;
  readonly batchTokens: number;
  readonly tokenizer: TokenizerBackend;
  /** Shared by all workers, if the model has one. */
  readonly table: Table | undefined;
  readonly chunker: ChunkerOptions;
  readonly fields: FieldMapping;
  readonly fingerprint: string;
}

/** What a document's metadata needs of its object. */
export interface ObjectFacts {
  readonly uri: string;
  readonly key: string;
  readonly version: string;
  readonly lastModified: string;
  readonly contentType: string | undefined;
}

export interface BundlePart {
  readonly object: ObjectFacts;
  readonly part: Part;
  /** Names (`recordName`) of the records that are wanted; the rest is as if it were not there. Absent: all. */
  readonly records?: readonly string[];
}

/**
 * Documents sent to a worker together: to be embedded, or only cut, without a model call; or texts that are embedded
 * whole, cut where the model's authors cut.
 */
export type Task =
  | { readonly kind: 'bundle' | 'outline'; readonly parts: readonly BundlePart[] }
  | { readonly kind: 'texts'; readonly texts: readonly string[]; readonly side: Side };

/** A document without rows. */
export type LeftOut =
  | { readonly kind: 'skipped'; readonly record: RecordKey; readonly reason: string }
  | {
      readonly kind: 'failed';
      readonly record: RecordKey;
      readonly stage: 'parse' | 'chunk' | 'embed';
      readonly reason: string;
      /** Ordinal of the first chunk that failed, where it was one. */
      readonly chunk?: number;
    };

export type EmbeddedDocument =
  | {
      readonly kind: 'embedded';
      readonly record: RecordKey;
      /** One per chunk; the vectors share one buffer, which was transferred. */
      readonly rows: readonly Row[];
      readonly tokens: number;
      readonly truncatedTokens: number;
      readonly mapping: string | undefined;
    }
  | LeftOut;

export type OutlinedDocument =
  | {
      readonly kind: 'outlined';
      readonly record: RecordKey;
      /** Of the rows that it would have, in order. */
      readonly ids: readonly string[];
      /** Of all of them, as they would be embedded. */
      readonly tokens: number;
      /** Of their texts, UTF-8. */
      readonly textBytes: number;
    }
  | LeftOut;

export interface AnsweredPart<Document> {
  /** In the order of the part's records. */
  readonly documents: readonly Document[];
  readonly invalidBytes: number;
}

export type EmbeddedPart = AnsweredPart<EmbeddedDocument>;
export type OutlinedPart = AnsweredPart<OutlinedDocument>;

export type TaskResult =
  | { readonly kind: 'bundle'; readonly parts: readonly EmbeddedPart[] }
  | { readonly kind: 'outline'; readonly parts: readonly OutlinedPart[] }
  | {
      readonly kind: 'texts';
      /** Token ids of each text. */
      readonly inputs: readonly Int32Array[];
      /** [texts.length, dimensions], row-major. */
      readonly vectors: Float32Array;
      readonly dimensions: number;
    };
