import { createHash, randomUUID } from 'node:crypto';
import { EmbatchError } from './errors.js';
import type { IndexInfo, JsonValue, Recipe } from './interfaces.js';

/** JSON with keys sorted by UTF-16 code unit at every level and no white space: one text per value. */
export function canonicalJson(value: JsonValue): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const entries = Object.entries(value as Record<string, JsonValue>).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`;
}

/** First 16 hex digits of the SHA-256 of the canonical JSON. */
function halfFingerprint(half: JsonValue): string {
  return createHash('sha256').update(canonicalJson(half)).digest('hex').slice(0, 16);
}

/** `space-text`: equal for equal recipes on every machine (docs/design.md §5). */
export function fingerprint(recipe: Recipe): string {
  return `${halfFingerprint(recipe.space)}-${halfFingerprint(recipe.text)}`;
}

/** Of the text half alone. */
export function textFingerprint({ text }: Recipe): string {
  return halfFingerprint(text);
}

/** What a sink is asked to hold: a fresh index id for the case that there is none yet. */
export function newIndexInfo(recipe: Recipe, dimensions: number): IndexInfo {
  return { indexId: randomUUID(), dimensions, fingerprint: fingerprint(recipe), recipe };
}

/**
 * Refuses vectors of another space in an index: they would look healthy and rank at random.
 * A different text half is accepted; the caller warns. Throws USAGE.
 */
export function assertSameSpace(existing: IndexInfo, wanted: IndexInfo, sinkUri: string): void {
  if (existing.dimensions !== wanted.dimensions) {
    throw new EmbatchError(
      'USAGE',
      `${sinkUri} holds vectors of ${existing.dimensions} dimensions, this model makes ${wanted.dimensions}. ` +
        waysOn,
    );
  }
  const [existingSpace] = existing.fingerprint.split('-');
  const [wantedSpace] = wanted.fingerprint.split('-');
  if (existingSpace !== wantedSpace) {
    const different = Object.keys({ ...existing.recipe.space, ...wanted.recipe.space }).filter(
      (key) =>
        canonicalJson(existing.recipe.space[key] ?? null) !== canonicalJson(wanted.recipe.space[key] ?? null),
    );
    throw new EmbatchError(
      'USAGE',
      `${sinkUri} was built with another recipe (different: ${different.join(', ')}); mixed vectors cannot be ` +
        `compared. ${waysOn}`,
      { details: { existing: existing.recipe.space, wanted: wanted.recipe.space } },
    );
  }
}

const waysOn = 'Use another sink, the model it was built with, or --recreate to drop it and build it anew.';

/** What an index holds of `text`, or undefined where it is not an embatch record of this version. */
export function parseIndexInfo(value: unknown): IndexInfo | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { indexId, dimensions, fingerprint: stored, recipe } = value as Partial<IndexInfo>;
  if (typeof indexId !== 'string' || typeof dimensions !== 'number' || typeof stored !== 'string')
    return undefined;
  if (typeof recipe?.space !== 'object' || typeof recipe.text !== 'object') return undefined;
  return { indexId, dimensions, fingerprint: stored, recipe };
}
