import { EmbatchError } from '../core/errors.js';
import type { FieldMapping, Part, ParsedPart } from '../core/interfaces.js';
import { decode } from './encoding.js';
import { wholeDocument, type Extracted } from './extracted.js';
import type { Format } from './formats.js';
import { parseHtml } from './parse-html.js';
import { parseJsonFile } from './parse-json.js';
import { parseJsonLines } from './parse-jsonl.js';
import { parseMarkdown } from './parse-markdown.js';
import { parseTable } from './parse-table.js';
import { parseXml } from './parse-xml.js';

/**
 * From a part to its documents: all the CPU work of reading, for a worker thread. Never throws for what a
 * part holds: each record comes out as a document, as skipped (`empty`) or as failed with its reason.
 */
export function parsePart(part: Part, mapping: FieldMapping): ParsedPart {
  const format = part.format as Format;
  switch (format) {
    case 'text':
      return parseWhole(part, (text) => ({ text }));
    case 'markdown':
      return parseWhole(part, parseMarkdown);
    case 'html':
      return parseWhole(part, parseHtml);
    case 'xml':
      return parseWhole(part, parseXml);
    case 'json':
      return parseJsonFile(part, mapping);
    case 'jsonl':
      return parseJsonLines(part, mapping);
    case 'csv':
    case 'ssv':
    case 'psv':
    case 'tsv':
      return parseTable({ ...part, format }, mapping);
    default:
      throw new EmbatchError('BUG', `a part of the unknown format ${JSON.stringify(format satisfies never)}`);
  }
}

function parseWhole(part: Part, extract: (text: string) => Extracted): ParsedPart {
  const { text, invalidBytes } = decode(part.bytes, part.encoding);
  return { outcomes: [wholeDocument(extract(text))], invalidBytes };
}
