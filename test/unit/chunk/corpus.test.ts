import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { unpackCorpus } from '../../support/corpus.js';
import { sharedFolder } from '../../support/shared.js';
import { tempFolder } from '../../support/temp-folder.js';
import { loadBytePairs, loadUnigram, loadWordPiece } from '../../support/tokenizers.js';
import { assertChunks, chunksOf, markdown } from './support.js';

/** Every so many documents of the corpus, so that the test takes seconds. */
const STRIDE = 60;
const formats = ['md', 'txt', 'html', 'rst', 'csv', 'jsonl'];

const runs = [
  { name: 'WordPiece', load: loadWordPiece, size: { chunkTokens: 256, chunkOverlap: 0, prompt: '' } },
  {
    name: 'byte-level BPE',
    load: loadBytePairs,
    size: { chunkTokens: 128, chunkOverlap: 20, prompt: 'passage: ' },
  },
  { name: 'Unigram', load: loadUnigram, size: { chunkTokens: 512, chunkOverlap: 50, prompt: '' } },
];

const shared = sharedFolder();
const skip = shared === undefined ? 'no ../shared/data/corpus-docs.tar.gz beside the project' : false;

describe('chunks of real documents cover all text, within the limits', { skip }, () => {
  for (const [offset, { name, load, size }] of runs.entries()) {
    it(`with ${name}, at most ${size.chunkTokens} tokens`, async (t) => {
      const tokenizer = await load();
      const objects = unpackCorpus(shared ?? '', await tempFolder(t)).filter(({ format = '' }) =>
        formats.includes(format),
      );
      const some = objects.filter((_, index) => index % STRIDE === offset);
      let [chunkCount, tokens] = [0, 0];
      for (const { bytes } of some) {
        const document = markdown(bytes.toString('utf8'));
        const chunks = await chunksOf(document, size, tokenizer);
        await assertChunks(document, chunks, size, tokenizer);
        chunkCount += chunks.length;
        tokens += chunks.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
      }
      assert.ok(chunkCount > some.length);
      // Half-empty chunks would be correct, and useless.
      const fill = tokens / (chunkCount * size.chunkTokens);
      assert.ok(fill > 0.5, `chunks are filled to ${fill.toFixed(2)}`);
      t.diagnostic(`${some.length} documents, ${chunkCount} chunks, filled to ${fill.toFixed(2)}`);
    });
  }
});
