import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import type { Tokenizer } from '#embatch/core/interfaces.js';
import { createEmbedder, type Embedder } from '#embatch/embed/embedder.js';
import { loadModel, type Model } from '#embatch/embed/model.js';
import { loadTokenizer } from '#embatch/embed/tokenizer.js';
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

let model: Model;
let tokenizer: Tokenizer;
let embedder: Embedder;

before(async () => {
  model = await loadModel({ ref: 'all-MiniLM-L6-v2' });
  tokenizer = await loadTokenizer(model.tokenizer);
  embedder = await createEmbedder(model, 512);
});

/** As the reference cuts: the first ids and the last special one. */
const cut = (ids: Int32Array): Int32Array =>
  ids.length <= model.maxTokens
    ? ids
    : Int32Array.from([...ids.slice(0, model.maxTokens - 1), ids.at(-1) ?? 0]);

test('the bundled model takes 256 tokens, whatever its tokenizer.json says', () => {
  assert.equal(model.maxTokens, 256);
  assert.equal(model.dimensions, 384);
  assert.deepEqual(model.pooling, ['mean']);
  assert.equal(model.normalize, true);
  assert.equal(model.batchInvariant, true);
});

test('token ids are those of the reference for every text, and nothing truncates them', async () => {
  const encoded = await tokenizer.encode(references.map(({ text }) => text));
  references.forEach((reference, index) => {
    const ids = encoded[index] as Int32Array;
    assert.equal(ids.length, reference.tokens_untruncated, reference.name);
    assert.deepEqual([...cut(ids)], reference.input_ids, reference.name);
  });
});

test('a count of tokens is the encoding without special tokens', async () => {
  const texts = references.map(({ text }) => text);
  assert.equal(tokenizer.specialTokens, 2);
  assert.deepEqual(
    await tokenizer.count(texts),
    references.map((reference) => reference.tokens_untruncated - 2),
  );
});

test('vectors agree with fp32 within what row-wise int8 may differ', async () => {
  const encoded = (await tokenizer.encode(references.map(({ text }) => text))).map(cut);
  const vectors = await embedder.embed(encoded);
  references.forEach(({ name, embedding }, index) => {
    const vector = vectors.subarray(index * 384, (index + 1) * 384);
    // Both are normalised, so the dot product is the cosine.
    const cosine = embedding.reduce((sum, value, i) => sum + value * (vector[i] ?? Number.NaN), 0);
    const difference = Math.max(...embedding.map((value, i) => Math.abs(value - (vector[i] ?? Number.NaN))));
    assert.ok(cosine >= 0.985, `${name}: cosine ${cosine}`);
    assert.ok(difference <= 3e-2, `${name}: differs by ${difference}`);
  });
});

test('a text has the same vector, bit for bit, alone and in any batch', async () => {
  const encoded = (await tokenizer.encode(references.map(({ text }) => text))).filter(
    (ids) => ids.length <= 64,
  );
  const together = await embedder.embed(encoded);
  for (const batchTokens of [64, 4096]) {
    const other = await (await createEmbedder(model, batchTokens)).embed(encoded.toReversed());
    encoded.forEach((_, index) => {
      const reversed = encoded.length - 1 - index;
      assert.deepEqual(
        other.slice(reversed * 384, (reversed + 1) * 384),
        together.slice(index * 384, (index + 1) * 384),
        `${references[index]?.name ?? ''} in batches of ${batchTokens}`,
      );
    });
  }
  for (const [index, ids] of encoded.entries()) {
    assert.deepEqual(await embedder.embed([ids]), together.slice(index * 384, (index + 1) * 384));
  }
});
