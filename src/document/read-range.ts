import type { Abortable, PartOutcome } from '../core/interfaces.js';
import { ByteInput } from './byte-input.js';
import { binaryType } from './content.js';
import { detectEncoding } from './encoding.js';
import { isGzip } from './gunzip.js';
import { lineParts } from './line-parts.js';
import { splitRecords } from './split-records.js';

/** Bytes by which content is told: enough for signatures, a declared encoding and a header row. */
export const HEAD_BYTES = 4 * 1024;

export interface ReadRangeOptions extends Abortable {
  readonly maxDocumentBytes: number;
  readonly partBytes: number;
}

/**
 * Whether a reader may begin in the middle of what is named JSONL: plain lines of UTF-8, which no longer tell that from
 * there on. Where not, all of it is read in one go.
 *
 * @param head the first {@link HEAD_BYTES} as stored, or all there are
 */
export function canBeginAnywhere(head: Buffer): boolean {
  const { label } = detectEncoding(head, 'jsonl');
  return !isGzip(head) && label === 'utf-8' && binaryType(head, label) === undefined;
}

/**
 * The records of plain JSON lines that begin in a range of bytes, as parts.
 *
 * @param body the object from the byte before `start`, which tells whether a record begins at `start`
 */
export async function* readRange(
  body: AsyncIterable<Uint8Array>,
  { start, end }: { readonly start: number; readonly end: number },
  options: ReadRangeOptions,
): AsyncGenerator<PartOutcome, void, undefined> {
  const input = new ByteInput(body, options.signal);
  const encoding = 'utf-8';
  try {
    const splits = splitRecords(input, {
      format: 'jsonl',
      encoding,
      offset: start - 1,
      partBytes: options.partBytes,
      maxRecordBytes: options.maxDocumentBytes,
      beginsWithin: true,
      end,
    });
    yield* lineParts(splits, 'jsonl', encoding, options);
  } finally {
    await input.close();
  }
}
