/** Cells of delimited text (RFC 4180, read leniently). */

/**
 * The cells of one record. A quote at the beginning of a cell opens a quoted one, in which a pair of quotes is
 * one; what follows the closing quote up to the delimiter belongs to the cell. Other quotes are text.
 */
export function parseCells(record: string, delimiter: string): string[] {
  const text = record.replace(/\r?\n$|\r$/, '');
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    let cell = '';
    if (text[at] === '"') [cell, at] = quoted(text, at + 1);
    const found = text.indexOf(delimiter, at);
    const end = found < 0 ? text.length : found;
    cells.push(cell + text.slice(at, end));
    if (found < 0) return cells;
    at = found + delimiter.length;
  }
}

/** What stands between the quotes, and the position behind the closing one. */
function quoted(text: string, start: number): [string, number] {
  let value = '';
  for (let at = start; ;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return [value + text.slice(at), text.length];
    value += text.slice(at, quote);
    if (text[quote + 1] !== '"') return [value, quote + 1];
    value += '"';
    at = quote + 2;
  }
}

/** Names of a header row, made distinct: no name becomes `column_3`, a second `name` becomes `name_2`. */
export function columnNames(cells: readonly string[]): string[] {
  const used = new Set<string>();
  return cells.map((cell, index) => {
    const name = cell.trim() === '' ? columnName(index) : cell.trim();
    let distinct = name;
    for (let n = 2; used.has(distinct); n += 1) distinct = `${name}_${n}`;
    used.add(distinct);
    return distinct;
  });
}

/** Name of a column that has none, counted from 1. */
export function columnName(index: number): string {
  return `column_${index + 1}`;
}
