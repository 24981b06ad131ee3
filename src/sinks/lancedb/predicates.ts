import type { StaleRows } from '../../core/interfaces.js';

/** Every deletion makes a version of the table, and every look-up reads a whole column: few, then, and large ones. */
export const OBJECTS_PER_DELETE = 500;
export const IDS_PER_QUERY = 1000;

/** Stands in no hash and in no fingerprint. */
const SEPARATOR = '/';

/** SQL for the rows with one of these ids. */
export function idsPredicate(ids: readonly string[]): string {
  return `id IN (${listOf(ids)})`;
}

/**
 * SQL for the rows that must go, one text for each group; an object that is named twice falls into two groups. Lists
 * are looked up by hash: a term for each object takes twenty times as long.
 */
export function* stalePredicates(stale: readonly StaleRows[]): Generator<string, void, undefined> {
  let group = new Map<string, StaleRows>();
  for (const rows of stale) {
    if (group.size >= OBJECTS_PER_DELETE || group.has(rows.object)) {
      yield stalePredicate([...group.values()]);
      group = new Map();
    }
    group.set(rows.object, rows);
  }
  if (group.size > 0) yield stalePredicate([...group.values()]);
}

function stalePredicate(group: readonly StaleRows[]): string {
  const ofObjects = `embatch.object IN (${listOf(group.map(({ object }) => object))})`;
  const kept = group.flatMap(({ object, keep }) =>
    keep === undefined ? [] : [[object, keep.fingerprint, keep.version].join(SEPARATOR)],
  );
  if (kept.length === 0) return ofObjects;
  const columns = ['embatch.object', 'embatch.fingerprint', 'embatch.version'];
  return `${ofObjects} AND (${columns.join(` || '${SEPARATOR}' || `)}) NOT IN (${listOf(kept)})`;
}

function listOf(texts: readonly string[]): string {
  return texts.map((text) => `'${text.replaceAll("'", "''")}'`).join(',');
}
