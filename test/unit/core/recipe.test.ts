import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import type { Recipe } from '#embatch/core/interfaces.js';
import {
  assertSameSpace,
  canonicalJson,
  fingerprint,
  newIndexInfo,
  parseIndexInfo,
} from '#embatch/core/recipe.js';

const recipe: Recipe = {
  space: { model: 'all-MiniLM-L6-v2', dimensions: 384, pooling: ['mean'], normalize: true },
  text: { chunkTokens: 256, template: '{text}' },
};

test('canonical JSON sorts keys at every level and keeps the order of arrays', () => {
  assert.equal(
    canonicalJson({ b: [{ z: 1, a: null }, 'é'], a: { y: true, x: 0.5 } }),
    '{"a":{"x":0.5,"y":true},"b":[{"a":null,"z":1},"é"]}',
  );
});

test('a fingerprint is two halves that change independently', () => {
  const [space, text] = fingerprint(recipe).split('-');
  const otherText = fingerprint({ ...recipe, text: { ...recipe.text, chunkTokens: 128 } }).split('-');
  const otherSpace = fingerprint({ ...recipe, space: { ...recipe.space, normalize: false } }).split('-');
  assert.match(`${space}-${text}`, /^[0-9a-f]{16}-[0-9a-f]{16}$/);
  assert.equal(otherText[0], space);
  assert.notEqual(otherText[1], text);
  assert.notEqual(otherSpace[0], space);
  assert.equal(otherSpace[1], text);
});

test('a fingerprint is the SHA-256 of the canonical JSON, so that other programs can check it', () => {
  // python3: hashlib.sha256(json.dumps(half, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]
  assert.equal(fingerprint(recipe), 'ebb13e6287b76e99-48859a983616c1af');
});

test('an index of another space is refused and the difference is named', () => {
  const existing = newIndexInfo(recipe, 384);
  const wanted = newIndexInfo({ ...recipe, space: { ...recipe.space, pooling: ['cls'] } }, 384);
  assert.throws(
    () => {
      assertSameSpace(existing, wanted, 'lancedb:./vectors');
    },
    (error) => isEmbatchError(error, 'USAGE') && error.message.includes('different: pooling'),
  );
});

test('an index of another width is refused with both widths', () => {
  assert.throws(
    () => {
      assertSameSpace(newIndexInfo(recipe, 384), newIndexInfo(recipe, 768), 'lancedb:./vectors');
    },
    (error) => isEmbatchError(error, 'USAGE') && /384 .* 768/.test(error.message),
  );
});

test('an index whose documents were cut in another way is accepted', () => {
  const wanted = newIndexInfo({ ...recipe, text: { chunkTokens: 64 } }, 384);
  assert.doesNotThrow(() => {
    assertSameSpace(newIndexInfo(recipe, 384), wanted, 'lancedb:./vectors');
  });
});

test('what is not an index record of ours is told apart', () => {
  const info = newIndexInfo(recipe, 384);
  assert.deepEqual(parseIndexInfo(JSON.parse(JSON.stringify(info))), info);
  for (const foreign of [
    undefined,
    null,
    'text',
    {},
    { ...info, recipe: undefined },
    { ...info, indexId: 7 },
  ]) {
    assert.equal(parseIndexInfo(foreign), undefined);
  }
});
