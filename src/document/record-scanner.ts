import { delimiters, isTableFormat } from './formats.js';

const QUOTE = 0x22;
const LF = 0x0a;
const CR = 0x0d;
/** Stands for every code unit above 255, and for a delimiter or a quote that a format does not have. */
const OTHER = -1;

/** Where in a record the next character stands. */
const CELL_START = 0;
const IN_CELL = 1;
const IN_QUOTES = 2;
/** After a quote within quotes: the first of a pair, or the closing one. */
const AFTER_QUOTE = 3;

export interface RecordEnds {
  /** Ends of the first and the last record that end in the piece: positions behind their line ends. */
  readonly first: number;
  readonly last: number;
}

/**
 * Finds where records end, the same way on the main thread, which cuts there, and in the worker, which
 * parses: a line ends at LF, CR LF or CR; in tables a quote at the beginning of a cell opens a quoted one,
 * in which line ends are text, and a quote anywhere else is text too. Bytes come piece by piece, in UTF-16
 * whole code units at a time.
 */
export class RecordScanner {
  readonly #quote: number;
  readonly #delimiter: number;
  /** Bytes of a code unit, and which of them is the low one. */
  readonly #unit: number;
  readonly #low: number;
  #state = CELL_START;
  #afterCr = false;

  constructor(format: string, encoding: string) {
    this.#quote = isTableFormat(format) ? QUOTE : OTHER;
    this.#delimiter = isTableFormat(format) ? delimiters[format] : OTHER;
    this.#unit = unitBytes(encoding);
    this.#low = encoding === 'utf-16be' ? 1 : 0;
  }

  /** True where what came so far ends within quotes. */
  get inQuotes(): boolean {
    return this.#state === IN_QUOTES;
  }

  /**
   * Ends in the next piece; undefined where no record ends in it. A CR at the end of a piece may be half of a
   * line end: the record then ends at 0 or 1 of the next piece. `all` takes every end.
   */
  scan(piece: Buffer, all?: number[]): RecordEnds | undefined {
    if (piece.length === 0) return undefined;
    if (all === undefined && this.#isPlain(piece)) return this.#scanPlain(piece);
    return this.#scanUnits(piece, all);
  }

  /** No quotes and no CR: line feeds are all there is to find, and that is a search of the processor's. */
  #isPlain(piece: Buffer): boolean {
    return (
      this.#unit === 1 &&
      this.#state <= IN_CELL &&
      !this.#afterCr &&
      !piece.includes(CR) &&
      (this.#quote === OTHER || !piece.includes(QUOTE))
    );
  }

  #scanPlain(piece: Buffer): RecordEnds | undefined {
    const final = piece[piece.length - 1];
    this.#state = final === LF || final === this.#delimiter ? CELL_START : IN_CELL;
    const first = piece.indexOf(LF);
    return first < 0 ? undefined : { first: first + 1, last: piece.lastIndexOf(LF) + 1 };
  }

  #scanUnits(piece: Buffer, all: number[] | undefined): RecordEnds | undefined {
    const quote = this.#quote;
    const delimiter = this.#delimiter;
    const unit = this.#unit;
    const low = this.#low;
    let state = this.#state;
    let afterCr = this.#afterCr;
    let first = -1;
    let last = -1;
    for (let i = 0; i < piece.length; i += unit) {
      if (state === IN_QUOTES && unit === 1) {
        // Most of a quoted text is skipped by a search of the processor's.
        i = piece.indexOf(QUOTE, i);
        if (i < 0) break;
      }
      const code = unit === 2 && piece[i + 1 - low] !== 0 ? OTHER - 1 : (piece[i + low] as number);
      let end = -1;
      if (afterCr) {
        afterCr = false;
        end = code === LF ? i + unit : i;
      }
      if (end > i) {
        // The LF of a CR LF: the record has ended already.
      } else if (state === IN_QUOTES) {
        if (code === quote) state = AFTER_QUOTE;
      } else if (code === quote && state === AFTER_QUOTE) {
        state = IN_QUOTES;
      } else if (code === LF) {
        state = CELL_START;
        end = i + unit;
      } else if (code === CR) {
        state = CELL_START;
        afterCr = true;
      } else if (code === delimiter) {
        state = CELL_START;
      } else {
        state = code === quote && state === CELL_START ? IN_QUOTES : IN_CELL;
      }
      if (end < 0) continue;
      if (first < 0) first = end;
      last = end;
      all?.push(end);
    }
    this.#state = state;
    this.#afterCr = afterCr;
    return first < 0 ? undefined : { first, last };
  }
}

/** Bytes of a code unit: record formats come in UTF-8 and UTF-16 only. */
export function unitBytes(encoding: string): 1 | 2 {
  return encoding.startsWith('utf-16') ? 2 : 1;
}

export interface RecordRange {
  /** Positions of the first byte and behind the last, line end included. */
  readonly start: number;
  readonly end: number;
  /** The bytes end before the quotes do. */
  readonly unterminated: boolean;
}

/** The records of bytes that begin with one. */
export function recordRanges(bytes: Buffer, format: string, encoding: string): RecordRange[] {
  const scanner = new RecordScanner(format, encoding);
  const ends: number[] = [];
  scanner.scan(bytes, ends);
  const ranges = ends.map((end, index) => ({ start: ends[index - 1] ?? 0, end, unterminated: false }));
  const tail = ends.at(-1) ?? 0;
  if (tail < bytes.length) ranges.push({ start: tail, end: bytes.length, unterminated: scanner.inQuotes });
  return ranges;
}
