import type { Abortable, Row } from '../../core/interfaces.js';
import { idOfLine, isRemoval, labelsOfLine, removalOfLine, rowOfLine } from './lines.js';
import { linesOfParts, parsed, type Part } from './parts.js';
import type { Place } from './place.js';
import { Removals } from './standing.js';
import { StoredRows } from './stored-rows.js';

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

/** What all parts hold of each object. Reads them once. */
export async function storedRows(
  place: Place,
  parts: readonly Part[],
  options: Abortable,
): Promise<StoredRows> {
  const stored = new StoredRows();
  for await (const line of linesOfParts(place, parts, options)) {
    if (!line.complete) continue;
    if (isRemoval(line.bytes)) {
      stored.remove(parsed(place, line, removalOfLine));
    } else {
      const { id, embatch } = parsed(place, line, labelsOfLine);
      stored.note(id, embatch);
    }
  }
  return stored;
}
