import type { Heading } from '../core/interfaces.js';
import { penalties } from './piece.js';
import type { Piece } from './piece.js';
import { isSpace, splitsPair, trimRange } from './text.js';

/**
 * Characters (UTF-16 code units) given to the sentence segmenter at once: it takes quadratic time on Node 20
 * (https://crbug.com/326176949).
 */
const SLICE_CHARS = 4096;

const sentences = new Intl.Segmenter('en', { granularity: 'sentence' });

const LINE_BREAK = /\r\n|[\n\r\u0085\u2028\u2029]/g;
/** Form feeds and paragraph separators end a paragraph by themselves. */
const PARAGRAPH_BREAK = /[\f\u2029]/;
const SENTENCE_END = /[.!?:;\u2026\u3002\uff01\uff1f][\p{P}\p{S}]*$/u;
const LIST_ITEM = /^(?:[-*+\u2022|>#]|\p{N}+[.)])\s/u;
/** How much of a text is looked at for what it begins or ends with. */
const GLANCE_CHARS = 12;

/** The sentences and lines of a text, in order. Headings ascend by their start. */
export function* cutPieces(text: string, headings: readonly Heading[]): Generator<Piece> {
  let lastEnd = 0;
  let first = true;
  let nextHeading = 0;
  let headingEnd = -1;
  let follows = false;

  for (const { start, end, forced } of ranges(text, headings)) {
    let penalty = boundaryPenalty(text, lastEnd, start, forced);
    let section = false;
    if (start < headingEnd || follows) {
      follows = start < headingEnd;
      penalty = penalties.afterHeading;
    }
    for (
      let heading = headings[nextHeading];
      heading && heading.start <= start;
      heading = headings[++nextHeading]
    ) {
      const own = penalties.heading + (heading.level - 1) * penalties.headingLevel;
      // A heading right below another one is what that one heads.
      penalty =
        penalty >= penalties.afterHeading
          ? penalties.afterHeading + own
          : section
            ? Math.min(penalty, own)
            : own;
      section = true;
      headingEnd = endOfHeading(text, start, heading.text);
      follows = true;
    }
    if (first) penalty = 0;
    first = false;
    yield { start, end, penalty, section };
    lastEnd = end;
  }
}

/**
 * Joins neighbours that together have at most `grain` characters (UTF-16 code units): where they were cut
 * apart makes no difference to a chunk many times as long, but a great one to the time that planning takes.
 * Paragraphs are kept apart longer; headings always are.
 */
export function* joinTiny(pieces: Iterable<Piece>, grain: number): Generator<Piece> {
  let open: Piece | undefined;
  for (const piece of pieces) {
    const most = piece.penalty <= penalties.paragraph ? grain / 4 : grain;
    const kept = piece.section || piece.penalty >= penalties.afterHeading;
    if (open !== undefined && !kept && piece.end - open.start <= most) {
      open = { ...open, end: piece.end };
    } else {
      if (open !== undefined) yield open;
      open = piece;
    }
  }
  if (open !== undefined) yield open;
}

/** The end of the line on which a heading begins. */
function endOfHeading(text: string, start: number, heading: string): number {
  // Text that came without line breaks must not be heading to its end.
  const longest = start + 2 * heading.length + 80;
  const end = text.slice(start, longest).search(/[\n\r\u0085\u2028\u2029]/);
  return end === -1 ? Math.min(text.length, start + heading.length) : start + end;
}

function boundaryPenalty(text: string, lastEnd: number, start: number, forced: boolean): number {
  if (start > lastEnd) {
    const gap = text.slice(lastEnd, start);
    const breaks = gap.match(LINE_BREAK)?.length ?? 0;
    if (breaks > 1 || PARAGRAPH_BREAK.test(gap)) return penalties.paragraph;
    if (forced && breaks === 0) return penalties.word;
    return breaks === 0 || endsSentence(text, lastEnd, start) ? penalties.sentence : penalties.line;
  }
  return forced ? penalties.character : penalties.sentence;
}

/** Whether a line break stands between sentences or items, rather than within one. */
function endsSentence(text: string, lastEnd: number, start: number): boolean {
  return (
    SENTENCE_END.test(text.slice(Math.max(0, lastEnd - GLANCE_CHARS), lastEnd)) ||
    LIST_ITEM.test(text.slice(start, start + GLANCE_CHARS))
  );
}

interface Range {
  readonly start: number;
  readonly end: number;
  /** The slice ended here, not a sentence. */
  readonly forced: boolean;
}

function* ranges(text: string, headings: readonly Heading[]): Generator<Range> {
  let heading = 0;
  let forced = false;
  for (let position = 0; position < text.length;) {
    while ((headings[heading]?.start ?? Infinity) <= position) heading++;
    const sectionEnd = Math.min(headings[heading]?.start ?? text.length, text.length);
    const whole = sectionEnd - position <= SLICE_CHARS;
    const sliceEnd = whole ? sectionEnd : sliceEndBefore(text, position, position + SLICE_CHARS);
    const segments = [...sentences.segment(text.slice(position, sliceEnd))];
    // What the slice cut in two is segmented again with what follows.
    const open = !whole && !isLineEnd(text, sliceEnd) && segments.length > 1;
    if (open) segments.pop();
    for (const { index, segment } of segments) {
      const range = trimRange(text, position + index, position + index + segment.length);
      if (range.start === range.end) continue;
      yield { ...range, forced };
      forced = false;
    }
    const last = segments.at(-1);
    forced = !whole && !open && !isLineEnd(text, sliceEnd);
    position += (last?.index ?? 0) + (last?.segment.length ?? 0);
  }
}

const isLineEnd = (text: string, position: number): boolean => text.charAt(position - 1) === '\n';

/** Behind the last line break of a slice, else behind its last white space, else between two code points. */
function sliceEndBefore(text: string, start: number, end: number): number {
  const line = text.lastIndexOf('\n', end - 1);
  if (line > start) return line + 1;
  for (let at = end; at > start + SLICE_CHARS / 2; at--) if (isSpace(text, at - 1)) return at;
  return splitsPair(text, end) ? end - 1 : end;
}
