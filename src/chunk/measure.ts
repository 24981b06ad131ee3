import type { Tokenizer } from '../core/interfaces.js';
import { isSpace, splitsPair } from './text.js';

/**
 * Characters (UTF-16 code units) that count as at least one token. Some tokenizers make a single unknown token
 * of any word past a length, and white space costs nothing: without this bound 16 MB could be one chunk.
 */
export const MAX_CHARS_PER_TOKEN = 32;

/** A longer text is tokenised in slices: the tokenizer's own records take a hundred bytes and more per token. */
const SLICE_CHARS = 65_536;

/**
 * Tokens of texts of any length. Exact for texts of up to a slice, beyond that as exact as white space
 * separates tokens.
 */
export async function countEach(tokenizer: Tokenizer, texts: readonly string[]): Promise<number[]> {
  if (texts.every((text) => text.length <= SLICE_CHARS)) return tokenizer.count(texts);
  const counts: number[] = [];
  for (const text of texts) counts.push(await countLong(tokenizer, text));
  return counts;
}

async function countLong(tokenizer: Tokenizer, text: string): Promise<number> {
  let tokens = 0;
  for (const slice of slices(text)) {
    const [count = 0] = await tokenizer.count([slice]);
    tokens += count;
  }
  return tokens;
}

function* slices(text: string): Generator<string> {
  for (let start = 0; start < text.length;) {
    const end =
      start + SLICE_CHARS >= text.length ? text.length : spaceBefore(text, start, start + SLICE_CHARS);
    yield text.slice(start, end);
    start = end;
  }
}

/** About the first `chars` UTF-16 code units of a text, ending with a whole word where there is white space. */
export function beginning(text: string, chars: number): string {
  return chars >= text.length ? text : text.slice(0, spaceBefore(text, 0, chars));
}

/** The last white space of a range but its first character, or the end of the range where it has none. */
function spaceBefore(text: string, start: number, end: number): number {
  for (let at = end - 1; at > start; at--) if (isSpace(text, at)) return at;
  return splitsPair(text, end) ? end - 1 : end;
}

/** As many whole words from the beginning of a text as make at most `limit` tokens. */
export async function firstWords(
  tokenizer: Tokenizer,
  text: string,
  limit: number,
): Promise<{ text: string; tokens: number }> {
  const words = beginning(text, limit * MAX_CHARS_PER_TOKEN).match(/\s*\S+/g) ?? [];
  const counts = await tokenizer.count(words);
  let kept = 0;
  for (let sum = counts[0] ?? 0; kept < words.length && sum <= limit; sum += counts[kept] ?? 0) kept++;
  // The words together may make more tokens than each alone.
  for (; kept > 0; kept--) {
    const candidate = words.slice(0, kept).join('');
    const [tokens = 0] = await tokenizer.count([candidate]);
    if (tokens <= limit) return { text: candidate, tokens };
  }
  return { text: '', tokens: 0 };
}
