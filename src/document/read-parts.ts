import type { Abortable, OpenObject, Part, PartOutcome } from '../core/interfaces.js';
import { formatBytes } from '../core/units.js';
import { ByteInput } from './byte-input.js';
import { columnNames, parseCells } from './cells.js';
import { binaryType, formatOfText, isJsonLines, tableFormat } from './content.js';
import { decode, detectEncoding, type Encoding } from './encoding.js';
import {
  delimiters,
  isRecordFormat,
  isTableFormat,
  skipReason,
  typeOfKey,
  type Format,
  type NamedType,
  type RecordFormat,
  type TableFormat,
} from './formats.js';
import { GzipDamage, gunzip, isGzip } from './gunzip.js';
import { lineParts, recordTooLong, tooLongWords } from './line-parts.js';
import { canBeginAnywhere, HEAD_BYTES } from './read-range.js';
import { recordRanges } from './record-scanner.js';
import { splitRecords, type Split } from './split-records.js';

export interface ReadPartsOptions extends Abortable {
  /** Longest document: a whole object, decompressed, or one record. Longer ones are dead letters. */
  readonly maxDocumentBytes: number;
  /** Records are handed on in parts of about this size. */
  readonly partBytes: number;
  /** Only records that begin before this byte, where {@link canBeginAnywhere}; else all. */
  readonly end?: number | undefined;
}

/** How far to look for the end of the first of several JSON lines. */
const JSON_HEAD_BYTES = 64 * 1024;

/**
 * From the bytes of an object to parts for the workers: decompresses, tells the format by the name and else
 * by the content, and cuts records apart; parses nothing. The object is one document, or its records stream
 * with flat memory. What cannot be read comes out as an outcome; only errors of the body and the signal's
 * reason are thrown. The body is ended in any case. The bytes of each part own their buffer.
 */
export async function* readParts(
  open: OpenObject,
  options: ReadPartsOptions,
): AsyncGenerator<PartOutcome, void, undefined> {
  options.signal?.throwIfAborted();
  const input = new ByteInput(open.body, options.signal);
  try {
    yield* readInput(input, open, options);
  } catch (error) {
    if (!(error instanceof GzipDamage)) throw error;
    yield failed(error.message);
  } finally {
    await input.close();
  }
}

async function* readInput(
  input: ByteInput,
  open: OpenObject,
  options: ReadPartsOptions,
): AsyncGenerator<PartOutcome, void, undefined> {
  const named = typeOfKey(open.object.key);
  if (named.unread !== undefined) {
    yield { kind: 'skipped', reason: skipReason(named.unread) };
    return;
  }
  const stored = await input.peek(HEAD_BYTES);
  const compressed = isGzip(stored);
  if (named.gzip && !compressed && stored.length > 0) {
    yield failed('not gzip data, although the name ends in .gz');
    return;
  }
  if (!compressed) {
    const end = canBeginAnywhere(stored) ? options.end : undefined;
    yield* readContent(input, named, open.object.size, { ...options, end });
    return;
  }
  const content = new ByteInput(gunzip(input), options.signal);
  try {
    yield* readContent(content, named, undefined, { ...options, end: undefined });
  } finally {
    await content.close();
  }
}

/** `size`: bytes to come, where that is known. */
async function* readContent(
  content: ByteInput,
  named: NamedType,
  size: number | undefined,
  options: ReadPartsOptions,
): AsyncGenerator<PartOutcome, void, undefined> {
  const head = await content.peek(HEAD_BYTES);
  if (head.length === 0) {
    // A body that failed before its first byte says so here.
    await content.next();
    yield { kind: 'skipped', reason: 'empty' };
    return;
  }
  const binary = binaryType(head, detectEncoding(head, named.format).label);
  if (binary !== undefined) {
    yield named.format === undefined
      ? { kind: 'skipped', reason: skipReason(binary) }
      : failed(`binary content under a text name (${binary})`);
    return;
  }
  const format = await formatOfContent(content, head, named.format);
  const encoding = detectEncoding(head, format);
  yield* isRecordFormat(format)
    ? readRecords(content, format, encoding, options)
    : readWhole(content, format, encoding, size, options);
}

/** The format, where the name leaves it open or is used for several. */
async function formatOfContent(
  content: ByteInput,
  head: Buffer,
  format: Format | undefined,
): Promise<Format> {
  const decoded = (bytes: Buffer): string => decode(bytes, detectEncoding(bytes, undefined).label).text;
  const text = decoded(head);
  if (format === 'csv') return tableFormat(text);
  const found = format ?? formatOfText(text);
  if (found !== 'json') return found;
  return isJsonLines(decoded(await content.peek(JSON_HEAD_BYTES))) ? 'jsonl' : 'json';
}

async function* readWhole(
  content: ByteInput,
  format: Format,
  encoding: Encoding,
  size: number | undefined,
  { maxDocumentBytes }: ReadPartsOptions,
): AsyncGenerator<PartOutcome, void, undefined> {
  const tooLarge = (bytes: string): PartOutcome =>
    failed(`too large: ${bytes}, the limit is ${formatBytes(maxDocumentBytes)} (--max-document-bytes)`);
  if (size !== undefined && size > maxDocumentBytes) {
    yield tooLarge(formatBytes(size));
    return;
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for (let chunk = await content.next(); chunk !== undefined; chunk = await content.next()) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxDocumentBytes) {
      yield tooLarge(`more than ${formatBytes(maxDocumentBytes)}`);
      return;
    }
  }
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  for (const chunk of chunks) filled += chunk.copy(bytes, filled);
  yield { kind: 'part', part: { format, encoding: encoding.label, bytes, offset: 0 } };
}

async function* readRecords(
  content: ByteInput,
  format: RecordFormat,
  encoding: Encoding,
  options: ReadPartsOptions,
): AsyncGenerator<PartOutcome, void, undefined> {
  const { label, markBytes } = encoding;
  await content.take(markBytes);
  const { partBytes, maxDocumentBytes } = options;
  const splits = splitRecords(content, {
    format,
    encoding: label,
    offset: markBytes,
    partBytes,
    maxRecordBytes: maxDocumentBytes,
    ...(options.end === undefined ? {} : { end: options.end }),
  });
  const outcomes = isTableFormat(format)
    ? tableParts(splits, format, label, options)
    : lineParts(splits, format, label, options);
  let any = false;
  for await (const outcome of outcomes) {
    any = true;
    yield outcome;
  }
  // A header row and no more, or a byte-order mark.
  if (!any) yield { kind: 'skipped', reason: 'empty' };
}

/** Takes the first record that is not blank for the header row. */
async function* tableParts(
  splits: AsyncIterable<Split>,
  format: TableFormat,
  encoding: string,
  options: ReadPartsOptions,
): AsyncGenerator<PartOutcome, void, undefined> {
  let columns: readonly string[] | undefined;
  for await (const split of splits) {
    if (split.kind === 'too-long') {
      if (columns === undefined) {
        yield failed(`the header row is ${tooLongWords(options)}`);
        return;
      }
      yield recordTooLong(split.offset, options);
      continue;
    }
    let part: Part = { format, encoding, bytes: split.bytes, offset: split.offset };
    if (columns === undefined) {
      const header = findHeader(split.bytes, format, encoding);
      if (header === undefined) continue;
      if (header.unterminated) {
        yield failed('the header row has a quote that never ends');
        return;
      }
      columns = header.columns;
      part = { ...part, bytes: ownCopy(split.bytes.subarray(header.end)), offset: split.offset + header.end };
    }
    if (part.bytes.length > 0) yield { kind: 'part', part: { ...part, columns } };
  }
}

interface Header {
  readonly columns: readonly string[];
  /** Position behind it. */
  readonly end: number;
  readonly unterminated: boolean;
}

function findHeader(bytes: Buffer, format: TableFormat, encoding: string): Header | undefined {
  for (const { start, end, unterminated } of recordRanges(bytes, format, encoding)) {
    const { text } = decode(bytes.subarray(start, end), encoding);
    if (text.trim() === '') continue;
    const columns = columnNames(parseCells(text, String.fromCharCode(delimiters[format])));
    return { columns, end, unterminated };
  }
  return undefined;
}

function ownCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

function failed(reason: string): PartOutcome {
  return { kind: 'failed', record: null, reason };
}
