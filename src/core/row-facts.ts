import type { Row, RowFacts } from './interfaces.js';

/** The facts of a row that is at hand whole. */
export function factsOf({ id, metadata, embatch }: Omit<Row, 'text' | 'vector'>): RowFacts {
  const { source, record, chunk, chunks } = metadata;
  return { id, source, record, chunk, chunks, version: embatch.version, fingerprint: embatch.fingerprint };
}
