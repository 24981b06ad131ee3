import type { DocumentOutcome, FieldMapping, OpenObject, PartOutcome } from '#embatch/core/interfaces.js';
import { parsePart } from '#embatch/document/parse-part.js';
import { readParts, type ReadPartsOptions } from '#embatch/document/read-parts.js';

export const usualFields: FieldMapping = { textField: undefined, idField: undefined, titleField: undefined };
export const options: ReadPartsOptions = { maxDocumentBytes: 10_000_000, partBytes: 64 * 1024 };

export interface WatchedObject extends OpenObject {
  /** How often the body was ended, and how many of its bytes were read before. */
  readonly watch: { ended: number; readBytes: number };
}

/** An object as a source opens it; its body comes in pieces of `pieceBytes`. */
export function objectOf(key: string, content: Uint8Array | string, pieceBytes = 1 << 16): WatchedObject {
  const bytes = Buffer.from(content);
  const watch = { ended: 0, readBytes: 0 };
  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        const piece = bytes.subarray(at, at + pieceBytes);
        watch.readBytes += piece.length;
        yield piece;
      }
    } finally {
      watch.ended += 1;
    }
  }
  const object = { key, size: bytes.length, version: '1', lastModified: '2026-01-01T00:00:00.000Z' };
  return { object, contentType: undefined, body: body(), watch };
}

export async function readAll(
  open: OpenObject,
  given: Partial<ReadPartsOptions> = {},
): Promise<PartOutcome[]> {
  const outcomes: PartOutcome[] = [];
  for await (const outcome of readParts(open, { ...options, ...given })) outcomes.push(outcome);
  return outcomes;
}

export interface Read {
  readonly outcomes: readonly (DocumentOutcome | Exclude<PartOutcome, { kind: 'part' }>)[];
  readonly invalidBytes: number;
}

/** Reads and parses: what a shard makes of an object. */
export async function readDocuments(
  open: OpenObject,
  mapping: Partial<FieldMapping> = {},
  given: Partial<ReadPartsOptions> = {},
): Promise<Read> {
  const outcomes: Read['outcomes'][number][] = [];
  let invalidBytes = 0;
  for (const outcome of await readAll(open, given)) {
    if (outcome.kind === 'part') {
      const parsed = parsePart(outcome.part, { ...usualFields, ...mapping });
      outcomes.push(...parsed.outcomes);
      invalidBytes += parsed.invalidBytes;
    } else {
      outcomes.push(outcome);
    }
  }
  return { outcomes, invalidBytes };
}

/** One line an outcome: enough to compare whole lists of them. */
export function brief(outcomes: Read['outcomes']): string[] {
  return outcomes.map((outcome) => {
    if (outcome.kind === 'document') {
      return `${JSON.stringify(outcome.document.record)} ${JSON.stringify(outcome.document.text)}`;
    }
    const record = 'record' in outcome ? `${JSON.stringify(outcome.record)} ` : '';
    return `${record}${outcome.kind}: ${outcome.reason}`;
  });
}
