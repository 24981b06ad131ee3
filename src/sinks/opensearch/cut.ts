import type { Line } from './ndjson.js';

/** Pieces of at most `maxBytes` and `maxRows`; a row that alone is larger gets a piece of its own. */
export function cut<T extends { readonly line: Line }>(
  rows: readonly T[],
  maxBytes: number,
  maxRows: number,
): T[][] {
  const pieces: T[][] = [];
  let bytes = Infinity;
  for (const row of rows) {
    const last = pieces.at(-1);
    const size = row.line.bytes.length;
    if (last === undefined || bytes + size > maxBytes || last.length >= maxRows) {
      pieces.push([row]);
      bytes = size;
    } else {
      last.push(row);
      bytes += size;
    }
  }
  return pieces;
}

/** Two pieces of nearly the same length, in order. */
export function halves<T>(items: T[]): T[][] {
  if (items.length === 0) return [];
  const middle = Math.ceil(items.length / 2);
  return [items.slice(0, middle), items.slice(middle)];
}
