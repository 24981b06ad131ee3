import { describeError } from '../core/errors.js';
import type { DocumentOutcome, FieldMapping, Part, ParsedPart } from '../core/interfaces.js';
import { decode } from './encoding.js';
import { documentOfFields } from './fields.js';
import { isJsonObject, kindOfJson, parseJson } from './json-text.js';
import { recordRanges } from './record-scanner.js';

/** One JSON object a line; blank lines are no records. A line that is no object fails with its offset. */
export function parseJsonLines(part: Part, mapping: FieldMapping): ParsedPart {
  const bytes = Buffer.from(part.bytes.buffer, part.bytes.byteOffset, part.bytes.length);
  const outcomes: DocumentOutcome[] = [];
  let invalidBytes = 0;
  for (const { start, end } of recordRanges(bytes, part.format, part.encoding)) {
    const line = decode(bytes.subarray(start, end), part.encoding);
    invalidBytes += line.invalidBytes;
    const text = line.text.trim();
    if (text !== '') outcomes.push(parseLine(text, part.offset + start, mapping));
  }
  return { outcomes, invalidBytes };
}

function parseLine(line: string, offset: number, mapping: FieldMapping): DocumentOutcome {
  const failed = (reason: string): DocumentOutcome => ({ kind: 'failed', record: offset, reason });
  let value: unknown;
  try {
    value = parseJson(line);
  } catch (error) {
    return failed(`invalid JSON in the line at byte ${offset}: ${describeError(error)}`);
  }
  if (!isJsonObject(value))
    return failed(`the line at byte ${offset} holds ${kindOfJson(value)}, not an object`);
  return documentOfFields(Object.entries(value), offset, mapping);
}
