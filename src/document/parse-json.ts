import { describeError } from '../core/errors.js';
import type { DocumentOutcome, FieldMapping, Part, ParsedPart } from '../core/interfaces.js';
import { isJsonLines } from './content.js';
import { decode } from './encoding.js';
import { documentOfFields } from './fields.js';
import { isJsonObject, kindOfJson, parseJson } from './json-text.js';
import { parseJsonLines } from './parse-jsonl.js';

/**
 * A JSON file: an object is one document; an array is one document an element, which is an object or a text,
 * and has its id, else its position in the array, from 0, for a record key; a text is a document. Lines of
 * JSON under the name `.json` are read as such.
 */
export function parseJsonFile(part: Part, mapping: FieldMapping): ParsedPart {
  const { text, invalidBytes } = decode(part.bytes, part.encoding);
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    if (isJsonLines(text)) return parseJsonLines({ ...part, format: 'jsonl' }, mapping);
    const reason = `invalid JSON: ${describeError(error)}`;
    return { outcomes: [{ kind: 'failed', record: null, reason }], invalidBytes };
  }
  return { outcomes: outcomesOf(value, mapping), invalidBytes };
}

function outcomesOf(value: unknown, mapping: FieldMapping): DocumentOutcome[] {
  if (!Array.isArray(value)) return [documentOfElement(value, null, mapping)];
  if (value.length === 0) return [{ kind: 'skipped', record: null, reason: 'empty' }];
  return value.map((element: unknown, index) => documentOfElement(element, index, mapping));
}

function documentOfElement(value: unknown, position: number | null, mapping: FieldMapping): DocumentOutcome {
  if (isJsonObject(value)) return documentOfFields(Object.entries(value), position, mapping);
  if (typeof value !== 'string') {
    const where = position === null ? 'the file' : `element ${position} of the array`;
    return {
      kind: 'failed',
      record: position,
      reason: `${where} holds ${kindOfJson(value)}, not an object or a text`,
    };
  }
  if (value.trim() === '') return { kind: 'skipped', record: position, reason: 'empty' };
  const document = { record: position, text: value, title: undefined, headings: [], fields: undefined };
  return { kind: 'document', document, mapping: undefined };
}
