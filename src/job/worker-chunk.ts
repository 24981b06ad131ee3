import { describeError } from '../core/errors.js';
import { chunkId } from '../core/ids.js';
import type { Chunk, Chunker, Document, DocumentOutcome, FieldMapping } from '../core/interfaces.js';
import { parsePart } from '../document/parse-part.js';
import type { AnsweredPart, BundlePart, LeftOut, ObjectFacts, OutlinedPart } from './bundle.js';
import { parseWanted } from './worker-parse.js';

/** A document that is ready to be embedded. */
export interface ChunkedDocument {
  readonly kind: 'chunked';
  readonly object: ObjectFacts;
  readonly document: Document;
  readonly mapping: string | undefined;
  /** At least one. */
  readonly chunks: readonly Chunk[];
}

export type ChunkedPart = AnsweredPart<ChunkedDocument | LeftOut>;

/** From bytes to the chunks of every wanted document. A document that cannot be cut fails alone. */
export async function chunkParts(
  parts: readonly BundlePart[],
  { chunker, fields }: { readonly chunker: Chunker; readonly fields: FieldMapping },
): Promise<ChunkedPart[]> {
  const chunked: ChunkedPart[] = [];
  for (const part of parts) {
    const { outcomes, invalidBytes } = parseWanted(part, (piece) => parsePart(piece, fields));
    const documents: (ChunkedDocument | LeftOut)[] = [];
    for (const outcome of outcomes) documents.push(await chunkOutcome(outcome, part.object, chunker));
    chunked.push({ invalidBytes, documents });
  }
  return chunked;
}

async function chunkOutcome(
  outcome: DocumentOutcome,
  object: ObjectFacts,
  chunker: Chunker,
): Promise<ChunkedDocument | LeftOut> {
  const { kind } = outcome;
  if (kind === 'failed') return { kind, record: outcome.record, stage: 'parse', reason: outcome.reason };
  if (kind === 'skipped') return { kind, record: outcome.record, reason: outcome.reason };
  const { document, mapping } = outcome;
  const { record } = document;
  try {
    const chunked = await chunker.chunk(document);
    if (!chunked.ok) return { kind: 'failed', record, stage: 'chunk', reason: chunked.reason };
    const { chunks } = chunked;
    if (chunks.length === 0) return { kind: 'skipped', record, reason: 'empty' };
    return { kind: 'chunked', object, document, mapping, chunks };
  } catch (error) {
    // Mostly the tokenizer, on a text that it cannot take.
    return { kind: 'failed', record, stage: 'chunk', reason: describeError(error) };
  }
}

/** What the parts would become, without embedding them. */
export function outlineParts(parts: readonly ChunkedPart[]): OutlinedPart[] {
  return parts.map(({ invalidBytes, documents }) => ({
    invalidBytes,
    documents: documents.map((document) => {
      if (document.kind !== 'chunked') return document;
      const { object, chunks } = document;
      const { record } = document.document;
      const ids = chunks.map((_, ordinal) => chunkId(object.uri, record, ordinal));
      const tokens = chunks.reduce((sum, chunk) => sum + chunk.tokenIds.length, 0);
      const textBytes = chunks.reduce((sum, chunk) => sum + Buffer.byteLength(chunk.text), 0);
      return { kind: 'outlined', record, ids, tokens, textBytes };
    }),
  }));
}
