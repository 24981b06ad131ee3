import { EmbatchError } from '../core/errors.js';

/** White space as `String.prototype.trim` has it. */
export function isSpace(text: string, position: number): boolean {
  const code = text.charCodeAt(position);
  if (code < 0x80) return code === 0x20 || (code >= 0x09 && code <= 0x0d);
  return /\s/.test(text.charAt(position));
}

/** The range without the white space at its edges; empty (start = end) where there is nothing else. */
export function trimRange(text: string, start: number, end: number): { start: number; end: number } {
  const range = { start, end };
  while (range.end > start && isSpace(text, range.end - 1)) range.end--;
  while (range.start < range.end && isSpace(text, range.start)) range.start++;
  return range;
}

/** Whether `position` lies between the two halves of one code point. */
export function splitsPair(text: string, position: number): boolean {
  return isLow(text.charCodeAt(position)) && isHigh(text.charCodeAt(position - 1));
}

/** One code point, be it a lone surrogate. */
export function isOneCodePoint(text: string, start: number, end: number): boolean {
  return end - start === 1 || (end - start === 2 && splitsPair(text, start + 1));
}

const isHigh = (code: number): boolean => code >= 0xd800 && code <= 0xdbff;
const isLow = (code: number): boolean => code >= 0xdc00 && code <= 0xdfff;

/** Turns positions that never go back from UTF-16 code units into code points, in one pass over the text. */
export function codePointCounter(text: string): (position: number) => number {
  let at = 0;
  let pairs = 0;
  return (position) => {
    if (position < at) throw new EmbatchError('BUG', `Offset ${position} was asked for after ${at}.`);
    for (; at < position; at++) if (splitsPair(text, at)) pairs++;
    return position - pairs;
  };
}
