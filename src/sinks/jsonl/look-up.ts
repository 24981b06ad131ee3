import type { Abortable, Row, StaleRows } from '../../core/interfaces.js';
import { idOfLine, isRemoval, labelsOfLine, removalOfLine, rowOfLine } from './lines.js';
import { linesOfParts, parsed, type Part } from './parts.js';
import type { Place } from './place.js';
import { Removals, isKept } from './standing.js';

/** The rows with these ids. Reads all parts once; holds the rows, and the removals. */
export async function rowsWithIds(
  place: Place,
  parts: readonly Part[],
  ids: ReadonlySet<string>,
  options: Abortable,
): Promise<Row[]> {
  const removals = new Removals();
  const found = new Map<string, { readonly position: number; readonly row: Row }>();
  for await (const line of linesOfParts(place, parts, options)) {
    const { bytes, complete, position } = line;
    if (!complete) continue;
    if (isRemoval(bytes)) {
      removals.add(position, parsed(place, line, removalOfLine));
    } else if (ids.has(parsed(place, line, idOfLine))) {
      const row = parsed(place, line, rowOfLine);
      found.set(row.id, { position, row });
    }
  }
  return [...found.values()]
    .filter(({ position, row }) => !removals.hide(position, row.embatch))
    .map(({ row }) => row);
}

export interface StaleCount {
  readonly rows: number;
  /** Of which at least one row must go. */
  readonly objects: ReadonlySet<string>;
}

/** How many rows must go. Reads all parts once; holds some hundred bytes for each row that must go. */
export async function countStale(
  place: Place,
  parts: readonly Part[],
  stale: readonly StaleRows[],
  options: Abortable,
): Promise<StaleCount> {
  const staleOf = new Map<string, StaleRows[]>();
  for (const rows of stale) staleOf.set(rows.object, [...(staleOf.get(rows.object) ?? []), rows]);
  const removals = new Removals();
  const going = new Map<string, { readonly position: number; readonly embatch: Row['embatch'] }>();
  for await (const line of linesOfParts(place, parts, options)) {
    const { bytes, complete, position } = line;
    if (!complete) continue;
    if (isRemoval(bytes)) {
      const removal = parsed(place, line, removalOfLine);
      if (staleOf.has(removal.object)) removals.add(position, removal);
      continue;
    }
    const { id, embatch } = parsed(place, line, labelsOfLine);
    if (staleOf.get(embatch.object)?.some(({ keep }) => !isKept(keep, embatch)) === true) {
      going.set(id, { position, embatch });
    } else {
      going.delete(id);
    }
  }
  const gone = [...going.values()].filter(({ position, embatch }) => !removals.hide(position, embatch));
  return { rows: gone.length, objects: new Set(gone.map(({ embatch }) => embatch.object)) };
}
