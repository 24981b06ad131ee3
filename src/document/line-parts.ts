import type { PartOutcome } from '../core/interfaces.js';
import { formatBytes } from '../core/units.js';
import type { RecordFormat } from './formats.js';
import type { Split } from './split-records.js';

interface LineOptions {
  readonly maxDocumentBytes: number;
}

/** Lines as parts; one that is too long is a dead letter. */
export async function* lineParts(
  splits: AsyncIterable<Split>,
  format: RecordFormat,
  encoding: string,
  options: LineOptions,
): AsyncGenerator<PartOutcome, void, undefined> {
  for await (const split of splits) {
    yield split.kind === 'too-long'
      ? recordTooLong(split.offset, options)
      : { kind: 'part', part: { format, encoding, bytes: split.bytes, offset: split.offset } };
  }
}

export function recordTooLong(offset: number, options: LineOptions): PartOutcome {
  return { kind: 'failed', record: offset, reason: `the record is ${tooLongWords(options)}` };
}

export function tooLongWords({ maxDocumentBytes }: LineOptions): string {
  return `longer than ${formatBytes(maxDocumentBytes)} (--max-document-bytes)`;
}
