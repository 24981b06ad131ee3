import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planBatches } from '#embatch/embed/compute/batches.js';

test('batches hold neighbours in length and stay within the padded budget', () => {
  const lengths = [100, 3, 100, 5, 90, 4];
  assert.deepEqual(planBatches(lengths, 200), [[1, 5, 3], [4, 0], [2]]);
});

test('an input longer than the budget is a batch of its own', () => {
  assert.deepEqual(planBatches([600, 10, 700], 512), [[1], [0], [2]]);
});

test('nothing gives no batch', () => {
  assert.deepEqual(planBatches([], 512), []);
});

test('every input is in exactly one batch, and no batch of several exceeds the budget', () => {
  let seed = 7;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const lengths = Array.from({ length: 5000 }, () => 1 + Math.floor(256 * random() ** 3));
  const batches = planBatches(lengths, 512);
  assert.deepEqual(
    batches.flat().toSorted((a, b) => a - b),
    lengths.map((_, index) => index),
  );
  let padded = 0;
  for (const batch of batches) {
    const longest = Math.max(...batch.map((index) => lengths[index] ?? 0));
    padded += longest * batch.length;
    assert.ok(batch.length === 1 || longest * batch.length <= 512);
  }
  const real = lengths.reduce((sum, length) => sum + length, 0);
  assert.ok(padded / real < 1.02, `${padded / real} padded tokens per token`);
});
