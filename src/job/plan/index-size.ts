import type { Estimate } from './estimate.js';

/** What the vectors will take, in bytes. */
export interface IndexSize {
  readonly vectors: number;
  readonly dimensions: number;
  /** Copies of everything, the first included. */
  readonly copies: number;
  /** On disk, over all copies. */
  readonly diskBytes: number;
  /** Of the graph and its vectors, over all copies: what searches want to find in memory. 0 where there is no graph. */
  readonly graphBytes: number;
}

export interface IndexKind {
  readonly sink: 'opensearch' | 'lancedb' | 'jsonl' | 'other';
  readonly dimensions: number;
  readonly copies: number;
}

const FLOAT_BYTES = 4;
/** Links of a node in the graph: the default of every engine, and ours. */
const HNSW_M = 16;
/** Ids, keys, versions, offsets and hashes of a row. */
const ROW_BYTES = 600;
/** A float as JSON in the stored source, after compression. */
const JSON_FLOAT_BYTES = 9;
/** The same in plain JSON lines. */
const PLAIN_FLOAT_BYTES = 12;

/**
 * A rough size, from what each sink keeps of a row. Graph: 1.1 × (4 × dimensions + 8 × m) bytes a vector
 * (https://docs.opensearch.org/latest/mappings/supported-field-types/knn-methods-engines/).
 */
export function indexSize(
  chunks: Estimate,
  textBytes: Estimate,
  { sink, dimensions, copies }: IndexKind,
): IndexSize {
  const vectors = chunks.value;
  const hasGraph = sink === 'opensearch';
  const perVector = {
    opensearch: FLOAT_BYTES * dimensions + 8 * HNSW_M + JSON_FLOAT_BYTES * dimensions,
    lancedb: FLOAT_BYTES * dimensions,
    jsonl: PLAIN_FLOAT_BYTES * dimensions,
    other: FLOAT_BYTES * dimensions,
  }[sink];
  const graph = hasGraph ? 1.1 * (FLOAT_BYTES * dimensions + 8 * HNSW_M) * vectors : 0;
  return {
    vectors,
    dimensions,
    copies,
    diskBytes: Math.round(copies * (vectors * (perVector + ROW_BYTES) + textBytes.value)),
    graphBytes: Math.round(copies * graph),
  };
}
