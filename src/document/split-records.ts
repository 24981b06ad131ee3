import type { ByteInput } from './byte-input.js';
import { GzipDamage } from './gunzip.js';
import { RecordScanner, unitBytes, type RecordEnds } from './record-scanner.js';

export interface SplitOptions {
  readonly format: string;
  readonly encoding: string;
  /** Position of the input's next byte in the decompressed object. */
  readonly offset: number;
  /** What to send to a worker at once; a single record may be longer. */
  readonly partBytes: number;
  readonly maxRecordBytes: number;
  /** The input begins within a record, or at the end of one: what comes before the next record is left out. */
  readonly beginsWithin?: boolean;
  /** Records that begin at this position or later are left out, and the input is not read further than need be. */
  readonly end?: number;
}

export type Split =
  /** Whole records. The bytes own their buffer, which may be transferred. */
  | { readonly kind: 'records'; readonly offset: number; readonly bytes: Buffer }
  /** A record longer than the limit, line end included; it was passed over without being held. */
  | { readonly kind: 'too-long'; readonly offset: number };

/**
 * Cuts a stream at record ends. Holds at most the longest allowed record and one part; which records come
 * out, and at which offsets, depends neither on the part size nor on how the input arrives. Of an object that is read in
 * several ranges (`beginsWithin`, `end`), every record comes out of exactly one.
 */
export async function* splitRecords(
  input: ByteInput,
  options: SplitOptions,
): AsyncGenerator<Split, void, undefined> {
  const { partBytes, maxRecordBytes, end = Infinity } = options;
  const scanner = new RecordScanner(options.format, options.encoding);
  const held = new HeldBytes(options.offset);
  let skipping = options.beginsWithin === true;
  // No piece is longer than a record may be: one that lies within a piece needs no check.
  const pieces = unitPieces(input, unitBytes(options.encoding), Math.min(partBytes, maxRecordBytes));
  try {
    for await (const arrived of pieces) {
      const isLast = held.position + arrived.length >= end;
      let piece = arrived;
      let ends = isLast ? scanUpTo(end - held.position, piece, scanner) : scanner.scan(piece);
      if (!skipping && held.open + (ends?.first ?? piece.length) > maxRecordBytes) {
        if (held.complete > 0) yield held.takeRecords();
        yield { kind: 'too-long', offset: held.offset };
        skipping = true;
      }
      if (skipping) {
        held.drop(ends?.first ?? piece.length);
        if (ends === undefined) continue;
        if (held.position >= end) return;
        piece = piece.subarray(ends.first);
        ends = { first: 0, last: ends.last - ends.first };
        skipping = false;
      }
      held.add(piece, ends?.last);
      if (held.endOfRecords >= end) {
        yield held.takeRecords();
        return;
      }
      if (held.length >= partBytes && held.complete > 0) yield held.takeRecords();
    }
  } catch (error) {
    // The record in which the damage lies is lost, those before it are not.
    if (error instanceof GzipDamage && held.complete > 0) yield held.takeRecords();
    throw error;
  }
  held.completeAll();
  if (held.complete > 0) yield held.takeRecords();
}

/** Record ends in a piece up to the first that is at `limit` or later. */
function scanUpTo(limit: number, piece: Buffer, scanner: RecordScanner): RecordEnds | undefined {
  const ends: number[] = [];
  scanner.scan(piece, ends);
  const [first] = ends;
  if (first === undefined) return undefined;
  return { first, last: ends.find((end) => end >= limit) ?? (ends.at(-1) as number) };
}

/** Bytes that wait to be cut: `complete` ones in whole records, then `open` ones of an unfinished record. */
class HeldBytes {
  /** Position of the first held byte. */
  offset: number;
  length = 0;
  complete = 0;
  #pieces: Buffer[] = [];

  constructor(offset: number) {
    this.offset = offset;
  }

  get open(): number {
    return this.length - this.complete;
  }

  /** Positions behind all held bytes, and behind the last whole record. */
  get position(): number {
    return this.offset + this.length;
  }

  get endOfRecords(): number {
    return this.offset + this.complete;
  }

  /** `lastEnd`: where in the piece its last record ends. */
  add(piece: Buffer, lastEnd: number | undefined): void {
    if (lastEnd !== undefined) this.complete = this.length + lastEnd;
    this.#pieces.push(piece);
    this.length += piece.length;
  }

  completeAll(): void {
    this.complete = this.length;
  }

  /** Forgets all that is held, and as many bytes more that never were. */
  drop(more: number): void {
    this.offset += this.length + more;
    this.#pieces = [];
    this.length = 0;
    this.complete = 0;
  }

  takeRecords(): Split {
    const { offset, complete } = this;
    // Not from Node's pool, of whose buffers a transfer would take all.
    const bytes = Buffer.allocUnsafeSlow(complete);
    const rest: Buffer[] = [];
    let filled = 0;
    for (const piece of this.#pieces) {
      const copied = piece.copy(bytes, filled);
      filled += copied;
      if (copied < piece.length) rest.push(piece.subarray(copied));
    }
    this.#pieces = rest;
    this.offset += complete;
    this.length -= complete;
    this.complete = 0;
    return { kind: 'records', offset, bytes };
  }
}

/** The input in pieces of whole code units; an odd byte at its end comes alone. */
async function* unitPieces(
  input: ByteInput,
  unit: number,
  maxBytes: number,
): AsyncGenerator<Buffer, void, undefined> {
  const limit = Math.max(unit, maxBytes - (maxBytes % unit));
  for (let chunk = await input.next(); chunk !== undefined; chunk = await input.next()) {
    const whole = Math.min(limit, chunk.length - (chunk.length % unit));
    input.putBack(chunk.subarray(whole));
    yield whole > 0 ? chunk.subarray(0, whole) : await input.take(unit);
  }
}
