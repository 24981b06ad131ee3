import { penalties } from './piece.js';
import type { Piece } from './piece.js';
import { isOneCodePoint, isSpace, splitsPair, trimRange } from './text.js';

/** How far from its ideal place (UTF-16 code units) a cut is moved to meet a better boundary. */
const REACH_CHARS = 48;
/** Text that the word segmenter is shown at once: dictionaries of scripts without spaces need some. */
const WORD_SLICE_CHARS = 1024;
/** Text on either side that the grapheme segmenter is shown. */
const GRAPHEME_CONTEXT_CHARS = 32;

const words = new Intl.Segmenter('en', { granularity: 'word' });
/** Two characters that no rule of Unicode joins: the segmenter takes long to say so. */
const SEPARATE = /^[\p{Lu}\p{Ll}\p{Nd}\p{Script=Han}]{2}$/u;
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/**
 * Cuts a piece into about `parts` of like length: each cut between words where white space is near, else where
 * Unicode sees a word boundary, else between graphemes, and between code points as the last resort. Fewer
 * parts where boundaries coincide; at least two unless the piece is a single code point.
 */
export function splitPiece(text: string, piece: Piece, parts: number): Piece[] {
  const { start, end } = piece;
  if (isOneCodePoint(text, start, end)) return [piece];
  const cuts: Cut[] = [];
  const step = (end - start) / parts;
  const reach = Math.max(REACH_CHARS, Math.ceil(step / 2));
  const wordsNear = wordFinder(text, piece);
  for (let part = 1; part < parts; part++) {
    const cut = bestCut(text, piece, start + Math.round(step * part), reach, wordsNear);
    if (cut !== undefined && cut.at > (cuts.at(-1)?.at ?? start)) cuts.push(cut);
  }
  if (cuts.length === 0) cuts.push(codePointCut(text, piece, start + ((end - start) >> 1)));

  return [{ at: start, penalty: piece.penalty }, ...cuts].flatMap(({ at, penalty }, index) => {
    const range = trimRange(text, at, cuts[index]?.at ?? end);
    return range.start === range.end ? [] : [{ ...range, penalty, section: index === 0 && piece.section }];
  });
}

interface Cut {
  readonly at: number;
  readonly penalty: number;
}

function bestCut(
  text: string,
  piece: Piece,
  target: number,
  reach: number,
  wordsNear: (target: number) => readonly number[],
): Cut | undefined {
  const space = nearestWord(text, piece, target, reach);
  if (space !== undefined) return { at: space, penalty: penalties.word };
  const word = nearest(wordsNear(target), target);
  if (word !== undefined && Math.abs(word - target) <= REACH_CHARS) {
    return { at: word, penalty: penalties.innerWord };
  }
  const grapheme = nearestGrapheme(text, piece, target);
  return grapheme === undefined ? undefined : { at: grapheme, penalty: penalties.character };
}

function nearestGrapheme(text: string, piece: Piece, target: number): number | undefined {
  if (target > piece.start && SEPARATE.test(text.slice(target - 1, target + 1))) return target;
  const from = codePointStart(text, Math.max(piece.start, target - GRAPHEME_CONTEXT_CHARS));
  const to = codePointStart(text, Math.min(piece.end, target + GRAPHEME_CONTEXT_CHARS));
  const starts = [...graphemes.segment(text.slice(from, to))].map(({ index }) => from + index).slice(1);
  return nearest(starts, target);
}

/** Finds the word starts of that slice of a piece that holds a position. */
function wordFinder(text: string, { start, end }: Piece): (target: number) => readonly number[] {
  const slices = new Map<number, readonly number[]>();
  return (target) => {
    const slice = Math.floor((target - start) / WORD_SLICE_CHARS);
    let found = slices.get(slice);
    if (found === undefined) {
      const from = codePointStart(text, start + slice * WORD_SLICE_CHARS);
      const to = codePointStart(text, Math.min(end, from + WORD_SLICE_CHARS));
      found = wordStarts(text.slice(from, to)).map((at) => from + at);
      slices.set(slice, found);
    }
    return found;
  };
}

/** The position nearest to `target` at which a word begins after white space. */
function nearestWord(text: string, { start, end }: Piece, target: number, reach: number): number | undefined {
  const begins = (at: number): boolean =>
    at > start && at < end && isSpace(text, at - 1) && !isSpace(text, at);
  for (let distance = 0; distance <= reach; distance++) {
    if (begins(target - distance)) return target - distance;
    if (begins(target + distance)) return target + distance;
  }
  return undefined;
}

/**
 * Where words begin in a text, its own beginning left out: punctuation stays with the word before it, opening
 * brackets and quotes with the word after.
 */
export function wordStarts(text: string): number[] {
  const starts: number[] = [];
  let opening: number | undefined;
  for (const { index, segment, isWordLike } of words.segment(text)) {
    if (isWordLike === true) {
      starts.push(opening ?? index);
      opening = undefined;
    } else if (/^[\p{Ps}\p{Pi}]+$/u.test(segment)) {
      opening ??= index;
    } else {
      opening = undefined;
    }
  }
  return starts.filter((start) => start > 0);
}

function nearest(positions: readonly number[], target: number): number | undefined {
  let best: number | undefined;
  for (const position of positions) {
    if (best === undefined || Math.abs(position - target) < Math.abs(best - target)) best = position;
  }
  return best;
}

function codePointCut(text: string, { start, end }: Piece, target: number): Cut {
  const at = codePointStart(text, target);
  // Only a pair at the very beginning leaves the cut there: behind it then.
  const inside = at > start ? at : at + 2;
  return { at: Math.min(inside, end - 1), penalty: penalties.character };
}

const codePointStart = (text: string, at: number): number => (splitsPair(text, at) ? at - 1 : at);
