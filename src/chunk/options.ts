import { EmbatchError } from '../core/errors.js';

export interface ChunkerOptions {
  /** `none`: every document is one chunk, `overflow` deciding what becomes of one too long for the model. */
  readonly chunker: 'recursive' | 'none';
  /** Longest model input in tokens, special tokens, prompt and template included. */
  readonly chunkTokens: number;
  /** Most tokens that a chunk repeats from the end of the one before it. */
  readonly chunkOverlap: number;
  readonly overflow: 'split' | 'truncate' | 'fail';
  /** What the model takes in tokens, special tokens included; Infinity where it has no limit. */
  readonly maxTokens: number;
  /** See {@link parseTemplate}. */
  readonly template: string;
  /** Put in front of each model input as it is; empty for none. */
  readonly prompt: string;
}

/** Tokens that special tokens, prompt and template must leave for a chunk's text. */
export const MIN_TEXT_TOKENS = 8;

/** Throws USAGE for values that cannot work with any document. */
export function checkOptions(options: ChunkerOptions): void {
  const { chunker, chunkTokens, chunkOverlap, maxTokens, overflow } = options;
  const cuts = chunker === 'recursive' || overflow === 'split';
  const longest = chunker === 'recursive' ? chunkTokens : maxTokens;
  if (chunker === 'recursive' && !(Number.isSafeInteger(chunkTokens) && chunkTokens > 0)) {
    throw new EmbatchError('USAGE', `--chunk-tokens is ${chunkTokens}; it must be a whole number above 0.`);
  }
  if (chunker === 'recursive' && chunkTokens > maxTokens) {
    throw new EmbatchError(
      'USAGE',
      `--chunk-tokens is ${chunkTokens}, but the model takes at most ${maxTokens} tokens. Lower it to that or less.`,
    );
  }
  if (!(Number.isSafeInteger(chunkOverlap) && chunkOverlap >= 0)) {
    throw new EmbatchError(
      'USAGE',
      `--chunk-overlap is ${chunkOverlap}; it must be a whole number, 0 for none.`,
    );
  }
  if (cuts && chunkOverlap * 2 >= longest) {
    throw new EmbatchError(
      'USAGE',
      `--chunk-overlap is ${chunkOverlap}; it must be less than half of the ${longest} tokens of a chunk. ` +
        'Lower it or raise --chunk-tokens.',
    );
  }
}
