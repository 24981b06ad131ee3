import { join } from 'node:path';
import type { Tokenizer } from '#embatch/core/interfaces.js';
import { loadTokenizer, type TokenizerSpec } from '#embatch/embed/tokenizer/tokenizer.js';
import { projectRoot, testData } from './paths.js';

/** A tokenizer as its file has it. */
export const plain = (file: string): TokenizerSpec => ({
  file,
  lowercase: false,
  specialTokens: true,
  dropUnknown: false,
});

/** WordPiece, 30,522 tokens: the bundled model's. */
export const loadWordPiece = (): Promise<Tokenizer> =>
  loadTokenizer(plain(join(projectRoot, 'models', 'all-MiniLM-L6-v2', 'tokenizer.json')));

/** Byte-level BPE of a tiny model. */
export const loadBytePairs = (): Promise<Tokenizer> =>
  loadTokenizer(plain(testData('models/tiny-roberta-bpe/tokenizer.json')));

/** Unigram with an NFKC normaliser, of a tiny model. */
export const loadUnigram = (): Promise<Tokenizer> =>
  loadTokenizer(plain(testData('models/tiny-xlmr-unigram/tokenizer.json')));

/** One token per word and per punctuation mark; counts simply add up. Ids are the numbers of characters. */
export const wordTokenizer: Tokenizer = toy(
  (text) => text.match(/[\p{L}\p{N}\p{M}]+|[^\s\p{L}\p{N}\p{M}]/gu) ?? [],
);

/** One token per three characters, white space included: pieces count for more than the text they make. */
export const tripleTokenizer: Tokenizer = toy((text) => text.match(/[^]{1,3}/gu) ?? []);

/** Every tenth word is two tokens: a text counts for more than its pieces. */
export const growingTokenizer: Tokenizer = toy((text) =>
  (text.match(/\S{1,4}/gu) ?? []).flatMap((word, index) => (index % 10 === 9 ? [word, word] : [word])),
);

/** A tokenizer with one special token at either end, of a function that gives the tokens' texts. */
function toy(split: (text: string) => readonly string[]): Tokenizer {
  return {
    specialTokens: 2,
    closingTokens: 1,
    count: (texts) => Promise.resolve(texts.map((text) => split(text).length)),
    encode: (texts) =>
      Promise.resolve(
        texts.map((text) => Int32Array.from([-1, ...split(text).map(({ length }) => length), -2])),
      ),
  };
}
