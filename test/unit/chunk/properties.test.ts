import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  growingTokenizer,
  loadBytePairs,
  loadUnigram,
  loadWordPiece,
  tripleTokenizer,
  wordTokenizer,
} from '../../support/tokenizers.js';
import { randomDocument } from './random-document.js';
import { assertChunks, chunksOf } from './support.js';

const tokenizers = {
  WordPiece: await loadWordPiece(),
  'byte-level BPE': await loadBytePairs(),
  Unigram: await loadUnigram(),
  'one token per word': wordTokenizer,
  'one token per three characters': tripleTokenizer,
  'more tokens than the pieces': growingTokenizer,
};

const sizes = [
  { chunkTokens: 24, chunkOverlap: 0, prompt: '' },
  { chunkTokens: 24, chunkOverlap: 7, prompt: 'passage: ' },
  { chunkTokens: 64, chunkOverlap: 31, prompt: '' },
  { chunkTokens: 256, chunkOverlap: 0, prompt: 'passage: ' },
  { chunkTokens: 256, chunkOverlap: 40, prompt: '' },
];

describe('chunks of random documents cover all text, within the limits', () => {
  for (const [name, tokenizer] of Object.entries(tokenizers)) {
    for (const size of sizes) {
      const { chunkTokens, chunkOverlap } = size;
      it(`with ${name}, at most ${chunkTokens} tokens, of which ${chunkOverlap} repeat`, async () => {
        for (let seed = 1; seed <= 4; seed++) {
          const document = randomDocument(seed, 15 * 3 ** (seed % 4));
          const chunks = await chunksOf(document, size, tokenizer);
          await assertChunks(document, chunks, size, tokenizer);
          assert.deepEqual(await chunksOf(document, size, tokenizer), chunks, 'the same again');
        }
      });
    }
  }
});
