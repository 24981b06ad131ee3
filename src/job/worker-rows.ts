import { chunkId, objectHash } from '../core/ids.js';
import type { Chunk, Document, Metadata, RecordKey, Row } from '../core/interfaces.js';
import type { ObjectFacts } from './bundle.js';
import type { ChunkedDocument } from './worker-chunk.js';

/** @param vectors [chunks, dimensions], row-major; the rows hold views of it */
export function rowsOf(
  { object, document, chunks }: ChunkedDocument,
  vectors: Float32Array,
  { dimensions, fingerprint }: { readonly dimensions: number; readonly fingerprint: string },
): Row[] {
  const hash = objectHash(object.uri);
  return chunks.map((chunk, ordinal): Row => {
    const id = chunkId(object.uri, document.record, ordinal);
    return {
      id,
      text: chunk.text,
      vector: vectors.subarray(ordinal * dimensions, (ordinal + 1) * dimensions),
      metadata: metadata(object, document, chunk, ordinal, chunks.length),
      embatch: { id, object: hash, version: object.version, fingerprint },
    };
  });
}

/** A vector without direction is near to nothing, and stores refuse it or, worse, do not. */
export function unusableVector(
  rows: readonly Row[],
): { readonly chunk: number; readonly reason: string } | undefined {
  const infinite = rows.findIndex((row) => !row.vector.every(Number.isFinite));
  if (infinite >= 0) {
    const reason = `the model gave a vector that is not finite for chunk ${infinite} of ${rows.length}`;
    return { chunk: infinite, reason };
  }
  const empty = rows.findIndex((row) => row.vector.every((value) => value === 0));
  if (empty < 0) return undefined;
  const reason = `chunk ${empty} of ${rows.length} has no token that the model knows, so it has no vector`;
  return { chunk: empty, reason };
}

function metadata(
  object: ObjectFacts,
  document: Document,
  chunk: Chunk,
  ordinal: number,
  count: number,
): Metadata {
  const record = recordLabel(document.record);
  return {
    source: object.uri,
    key: object.key,
    etag: object.version,
    last_modified: object.lastModified,
    ...(object.contentType === undefined ? {} : { content_type: object.contentType }),
    ...(document.title === undefined ? {} : { title: document.title }),
    ...(record === undefined ? {} : { record }),
    chunk: ordinal,
    chunks: count,
    start: chunk.start,
    end: chunk.end,
    ...(chunk.heading === undefined ? {} : { heading: chunk.heading }),
    ...(document.fields === undefined ? {} : { fields: document.fields }),
  };
}

function recordLabel(record: RecordKey): string | number | undefined {
  if (record === null) return undefined;
  return typeof record === 'number' ? record : record.id;
}
