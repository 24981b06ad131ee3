import type { Tokenizer } from '../core/interfaces.js';
import { wordStarts } from './split.js';
import { isSpace, splitsPair } from './text.js';

/** How far back words are looked at, in characters (UTF-16 code units) per token of overlap. */
export const OVERLAP_CHARS_PER_TOKEN = 6;
/** Where white space is rarer than this (characters), words are found by Unicode's rules instead. */
const LONG_WORD_CHARS = 16;
/** Positions tried for one overlap, besides sentences: tokenising every word by itself is slow. */
const CANDIDATES = 16;

/** The end of one chunk's text that the next, whose own text begins at `body`, may repeat. */
export interface OverlapRequest {
  readonly body: number;
  /** No overlap begins before this position. */
  readonly floor: number;
  /** Most tokens. */
  readonly limit: number;
}

/**
 * Where each chunk begins with its overlap: at a sentence, if that uses at least half of the limit, else at a
 * word; at `body` where not even a word fits. `sentences` are positions at which sentences begin, ascending.
 */
export async function overlapStarts(
  text: string,
  requests: readonly OverlapRequest[],
  sentences: readonly number[],
  tokenizer: Tokenizer,
): Promise<number[]> {
  const words = requests.map((request) => candidates(text, request, sentences));
  const counts = await tokenizer.count(
    words.flatMap((starts, index) => wordTexts(text, starts, requests[index]?.body ?? 0)),
  );
  const chosen = requests.map(({ body, limit }, index) =>
    choose(words[index] ?? [], counts.splice(0, words[index]?.length ?? 0), limit, body, sentences),
  );

  // Words together may make more tokens than each alone: give up words until they do not.
  for (let open = requests.map((_, index) => index); open.length > 0;) {
    open = open.filter((index) => (chosen[index] ?? 0) < (requests[index]?.body ?? 0));
    const exact = await tokenizer.count(
      open.map((index) => text.slice(chosen[index], requests[index]?.body).trimEnd()),
    );
    open = open.filter((index, at) => (exact[at] ?? 0) > (requests[index]?.limit ?? 0));
    for (const index of open) {
      const current = chosen[index] ?? 0;
      chosen[index] = words[index]?.find((start) => start > current) ?? requests[index]?.body ?? 0;
    }
  }
  return chosen;
}

/** Where an overlap may begin, ascending: at sentences and at some of the words, evenly spread. */
function candidates(text: string, request: OverlapRequest, sentences: readonly number[]): number[] {
  const { body, floor, limit } = request;
  const from = Math.max(floor, body - limit * OVERLAP_CHARS_PER_TOKEN);
  const words = wordsBetween(text, from, body);
  const every = Math.ceil(words.length / CANDIDATES);
  const spread = words.filter((_, index) => (words.length - index) % every === 0);
  const inside = sentences.filter((start) => start >= from && start < body);
  return [...new Set([...spread, ...inside])].sort((a, b) => a - b);
}

/** Where words begin in a range, ascending; its own beginning may lie within a word. */
function wordsBetween(text: string, from: number, to: number): number[] {
  const starts: number[] = [];
  for (let at = Math.max(1, from); at < to; at++) {
    if (isSpace(text, at - 1) && !isSpace(text, at)) starts.push(at);
  }
  if (starts.length * LONG_WORD_CHARS >= to - from) return starts;
  const aligned = splitsPair(text, from) ? from + 1 : from;
  const inner = wordStarts(text.slice(aligned, to)).map((start) => aligned + start);
  return [...new Set([...starts, ...inner])].sort((a, b) => a - b);
}

/** Each word with the space before it, which is part of its token in some vocabularies. */
function wordTexts(text: string, starts: readonly number[], body: number): string[] {
  const bounds = [...starts, body].map((at) => (at > 0 && isSpace(text, at - 1) ? at - 1 : at));
  return starts.map((_, index) => text.slice(bounds[index], bounds[index + 1]));
}

function choose(
  words: readonly number[],
  counts: readonly number[],
  limit: number,
  body: number,
  sentences: readonly number[],
): number {
  let first = words.length;
  let tokens = 0;
  while (first > 0 && tokens + (counts[first - 1] ?? 0) <= limit) tokens += counts[--first] ?? 0;
  const word = words[first] ?? body;
  const sentence = sentences.find((start) => start >= word && start < body);
  if (sentence === undefined) return word;
  for (let index = first; index < words.length && (words[index] ?? 0) < sentence; index++) {
    tokens -= counts[index] ?? 0;
  }
  return tokens * 2 >= limit ? sentence : word;
}
