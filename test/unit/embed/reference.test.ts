import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { createTextEmbedder, type TextEmbedder } from '#embatch/embed/compute/text-embedder.js';
import type { Model } from '#embatch/embed/model/model.js';
import { loadBundledModel } from '../../support/models.js';
import { testData } from '../../support/paths.js';

/** Made with sentence-transformers in fp32 on the model's original weights, one text per call. */
interface Reference {
  readonly name: string;
  readonly text: string;
  readonly tokens_untruncated: number;
  readonly input_ids: readonly number[];
  readonly embedding: readonly number[];
}

const references = readFileSync(testData('reference/all-minilm-l6-v2.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Reference);

const texts = references.map(({ text }) => text);

let model: Model;
let embedder: TextEmbedder;

before(async () => {
  model = await loadBundledModel();
  embedder = await createTextEmbedder(model, { batchTokens: 512 });
});

test('the bundled model takes 256 tokens, whatever its tokenizer.json says', () => {
  assert.equal(model.maxTokens, 256);
  assert.equal(model.dimensions, 384);
  assert.deepEqual(model.steps, [
    { kind: 'pooling', modes: ['mean'], includePrompt: true },
    { kind: 'normalize' },
  ]);
  assert.equal(model.batchInvariant, true);
});

test('token ids are those of the reference for every text, cut where its authors cut', async () => {
  const whole = await embedder.tokenizer.encode(texts);
  const cut = await embedder.encode(texts, 'plain');
  references.forEach((reference, index) => {
    assert.equal(whole[index]?.length, reference.tokens_untruncated, reference.name);
    assert.deepEqual([...(cut[index] as Int32Array)], reference.input_ids, reference.name);
  });
});

test('a count of tokens is the encoding without special tokens', async () => {
  assert.equal(embedder.tokenizer.specialTokens, 2);
  assert.deepEqual(
    await embedder.tokenizer.count(texts),
    references.map((reference) => reference.tokens_untruncated - 2),
  );
});

test('vectors agree with fp32 within what row-wise int8 may differ', async () => {
  const vectors = await embedder.embed(await embedder.encode(texts, 'plain'), 'plain');
  const cosines = references.map(({ name, embedding }, index) => {
    const vector = vectors.subarray(index * 384, (index + 1) * 384);
    // Both are normalised, so the dot product is the cosine.
    const cosine = embedding.reduce((sum, value, i) => sum + value * (vector[i] ?? Number.NaN), 0);
    const difference = Math.max(...embedding.map((value, i) => Math.abs(value - (vector[i] ?? Number.NaN))));
    assert.ok(cosine >= 0.995, `${name}: cosine ${cosine}`);
    assert.ok(difference <= 2e-2, `${name}: differs by ${difference}`);
    return cosine;
  });
  const mean = cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length;
  assert.ok(mean >= 0.998, `mean cosine ${mean}`);
});

test('a text has the same vector, bit for bit, alone and in any batch', async () => {
  const encoded = (await embedder.encode(texts, 'plain')).filter((ids) => ids.length <= 64);
  const together = await embedder.embed(encoded, 'plain');
  for (const batchTokens of [64, 4096]) {
    const other = await createTextEmbedder(model, { batchTokens });
    const vectors = await other.embed(encoded.toReversed(), 'plain');
    encoded.forEach((_, index) => {
      const reversed = encoded.length - 1 - index;
      assert.deepEqual(
        vectors.slice(reversed * 384, (reversed + 1) * 384),
        together.slice(index * 384, (index + 1) * 384),
        `${references[index]?.name ?? ''} in batches of ${batchTokens}`,
      );
    });
  }
  for (const [index, ids] of encoded.entries()) {
    const alone = await embedder.embed([ids], 'plain');
    assert.deepEqual(alone, together.slice(index * 384, (index + 1) * 384));
  }
});
