import { describeError } from '../core/errors.js';
import type { TextEmbedder } from '../embed/compute/text-embedder.js';
import type { EmbeddedDocument, EmbeddedPart, LeftOut } from './bundle.js';
import type { ChunkedDocument, ChunkedPart } from './worker-chunk.js';
import { rowsOf, unusableVector } from './worker-rows.js';

export interface EmbedSettings {
  readonly dimensions: number;
  readonly fingerprint: string;
}

export interface EmbeddedParts {
  readonly parts: readonly EmbeddedPart[];
  /** Holds the vectors of all rows. */
  readonly buffer: ArrayBuffer;
}

/**
 * Embeds all chunks of a bundle together: the more there are to sort, the less is padded. A document with a chunk
 * that the model fails on becomes a dead letter; all others get the vectors that they would have without it.
 */
export async function embedParts(
  parts: readonly ChunkedPart[],
  embedder: TextEmbedder,
  settings: EmbedSettings,
): Promise<EmbeddedParts> {
  const chunked = parts.flatMap(({ documents }) =>
    documents.filter((document) => document.kind === 'chunked'),
  );
  const inputs = chunked.flatMap(({ chunks }) => chunks.map((chunk) => chunk.tokenIds));
  const errors = new Map<number, unknown>();
  const vectors = await embedder.embed(inputs, 'document', (index, error) => errors.set(index, error));

  let next = 0;
  const answer = (document: ChunkedDocument | LeftOut): EmbeddedDocument => {
    if (document.kind !== 'chunked') return document;
    const first = next;
    next += document.chunks.length;
    return (
      failedDocument(document, first, errors) ??
      embeddedDocument(
        document,
        vectors.subarray(first * settings.dimensions, next * settings.dimensions),
        settings,
      )
    );
  };
  return {
    parts: parts.map(({ invalidBytes, documents }) => ({ invalidBytes, documents: documents.map(answer) })),
    buffer: vectors.buffer,
  };
}

/** undefined where the model took all of its chunks. */
function failedDocument(
  { document, chunks }: ChunkedDocument,
  first: number,
  errors: ReadonlyMap<number, unknown>,
): LeftOut | undefined {
  const failed = chunks.flatMap((_, chunk) => (errors.has(first + chunk) ? [chunk] : []));
  const [chunk] = failed;
  if (chunk === undefined) return undefined;
  const which =
    failed.length === 1 ? `chunk ${chunk}` : `${failed.length} chunks, the first of them ${chunk},`;
  const words = describeError(errors.get(first + chunk));
  const reason = `the model failed on ${which} of ${chunks.length}: ${words}`;
  return { kind: 'failed', record: document.record, stage: 'embed', reason, chunk };
}

function embeddedDocument(
  source: ChunkedDocument,
  vectors: Float32Array,
  settings: EmbedSettings,
): EmbeddedDocument {
  const { document, mapping, chunks } = source;
  const rows = rowsOf(source, vectors, settings);
  const unusable = unusableVector(rows);
  if (unusable !== undefined) return { kind: 'failed', record: document.record, stage: 'embed', ...unusable };
  return {
    kind: 'embedded',
    record: document.record,
    rows,
    tokens: chunks.reduce((sum, chunk) => sum + chunk.tokenIds.length, 0),
    truncatedTokens: chunks.reduce((sum, chunk) => sum + chunk.truncatedTokens, 0),
    mapping,
  };
}
