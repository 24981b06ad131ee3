import { describeError, isEmbatchError } from '../core/errors.js';
import { recordName } from '../core/ids.js';
import type { DocumentOutcome, Part, ParsedPart } from '../core/interfaces.js';
import { isRecordFormat } from '../document/formats.js';
import { recordRanges } from '../document/record-scanner.js';
import type { BundlePart } from './bundle.js';

export type Parse = (part: Part) => ParsedPart;

/** The wanted records of a part. What cannot be parsed comes out as failed; never throws for what a part holds. */
export function parseWanted({ part, records }: BundlePart, parse: Parse): ParsedPart {
  const parsed = parseApart(part, parse);
  if (records === undefined) return parsed;
  const wanted = new Set(records);
  return { ...parsed, outcomes: parsed.outcomes.filter((outcome) => isWanted(outcome, wanted)) };
}

function isWanted(outcome: DocumentOutcome, wanted: ReadonlySet<string>): boolean {
  const record = outcome.kind === 'document' ? outcome.document.record : outcome.record;
  if (wanted.has(recordName(record))) return true;
  const position = outcome.kind === 'failed' ? undefined : outcome.position;
  return position !== undefined && wanted.has(recordName(position));
}

/** Parses a part, by halves where the parser throws, so that one record costs none of the others. */
function parseApart(part: Part, parse: Parse): ParsedPart {
  try {
    return parse(part);
  } catch (error) {
    if (isEmbatchError(error)) throw error;
    const halves = cutPart(part);
    if (halves === undefined) {
      const record = isRecordFormat(part.format) ? part.offset : null;
      const reason = `the parser failed: ${describeError(error)}`;
      return { outcomes: [{ kind: 'failed', record, reason }], invalidBytes: 0 };
    }
    const [first, second] = halves.map((half) => parseApart(half, parse)) as [ParsedPart, ParsedPart];
    return {
      outcomes: [...first.outcomes, ...second.outcomes],
      invalidBytes: first.invalidBytes + second.invalidBytes,
    };
  }
}

/** Two parts with about half of the records each; undefined where there are no two. */
function cutPart(part: Part): [Part, Part] | undefined {
  if (!isRecordFormat(part.format)) return undefined;
  const { bytes, offset } = part;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const ranges = recordRanges(view, part.format, part.encoding);
  const middle = ranges[ranges.length >> 1]?.start ?? 0;
  if (middle === 0) return undefined;
  return [
    { ...part, bytes: bytes.subarray(0, middle) },
    { ...part, bytes: bytes.subarray(middle), offset: offset + middle },
  ];
}
