import type { DocumentOutcome, FieldMapping, Part, ParsedPart } from '../core/interfaces.js';
import { columnName, parseCells } from './cells.js';
import { decode } from './encoding.js';
import { documentOfFields } from './fields.js';
import { delimiters, type TableFormat } from './formats.js';
import { recordRanges } from './record-scanner.js';

/**
 * One document a row; blank lines are no records. A short row lacks its last columns, the surplus cells of a
 * long one are called `column_5` and so on. A quote that never ends fails with the offset of its row.
 */
export function parseTable(part: Part & { readonly format: TableFormat }, mapping: FieldMapping): ParsedPart {
  const bytes = Buffer.from(part.bytes.buffer, part.bytes.byteOffset, part.bytes.length);
  const delimiter = String.fromCharCode(delimiters[part.format]);
  const columns = part.columns ?? [];
  const outcomes: DocumentOutcome[] = [];
  let invalidBytes = 0;
  for (const { start, end, unterminated } of recordRanges(bytes, part.format, part.encoding)) {
    const row = decode(bytes.subarray(start, end), part.encoding);
    invalidBytes += row.invalidBytes;
    const offset = part.offset + start;
    if (unterminated) {
      const reason = `the row at byte ${offset} has a quote that never ends`;
      outcomes.push({ kind: 'failed', record: offset, reason });
    } else if (row.text.trim() !== '') {
      const fields = parseCells(row.text, delimiter).map(
        (cell, index) => [nameOf(index, columns), cell] as const,
      );
      outcomes.push(documentOfFields(fields, offset, mapping));
    }
  }
  return { outcomes, invalidBytes };
}

/** A surplus cell must not take the name of a column. */
function nameOf(index: number, columns: readonly string[]): string {
  const given = columns[index];
  if (given !== undefined) return given;
  let name = columnName(index);
  while (columns.includes(name)) name += '_';
  return name;
}
