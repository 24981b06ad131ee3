import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pool, type PoolingMode } from '#embatch/embed/compute/pooling.js';
import { normalize } from '#embatch/embed/compute/steps.js';

// Two rows of three positions and width 2; the second row has two real positions and one of padding.
const hidden = Float32Array.from([1, -1, 2, -2, 3, -6, 4, 8, -2, 2, 99, 99]);

for (const [mode, first, second] of [
  ['cls', [1, -1], [4, 8]],
  ['lasttoken', [3, -6], [-2, 2]],
  ['max', [3, -1], [4, 8]],
  ['mean', [2, -3], [1, 5]],
  ['mean_sqrt_len_tokens', [6 / Math.sqrt(3), -9 / Math.sqrt(3)], [2 / Math.SQRT2, 10 / Math.SQRT2]],
  ['weightedmean', [(1 + 4 + 9) / 6, (-1 - 4 - 18) / 6], [(4 - 4) / 3, (8 + 4) / 3]],
] as readonly (readonly [PoolingMode, number[], number[]])[]) {
  test(`${mode} pooling reads the real positions and no padding`, () => {
    const rows = [new Float32Array(2), new Float32Array(2)] as const;
    pool(hidden, 0, { tokens: 3, skip: 0 }, 2, [mode], rows[0]);
    pool(hidden, 6, { tokens: 2, skip: 0 }, 2, [mode], rows[1]);
    assert.deepEqual(rows, [Float32Array.from(first), Float32Array.from(second)]);
  });
}

for (const [mode, expected] of [
  ['cls', [2, -2]],
  ['lasttoken', [3, -6]],
  ['max', [3, -2]],
  ['mean', [2.5, -4]],
  ['mean_sqrt_len_tokens', [5 / Math.SQRT2, -8 / Math.SQRT2]],
  ['weightedmean', [(4 + 9) / 5, (-4 - 18) / 5]],
] as readonly (readonly [PoolingMode, number[]])[]) {
  test(`${mode} pooling leaves out a prompt of one token, whose position still counts`, () => {
    const target = new Float32Array(2);
    pool(hidden, 0, { tokens: 3, skip: 1 }, 2, [mode], target);
    assert.deepEqual(target, Float32Array.from(expected));
  });
}

test('a row that is nothing but its prompt gives zeros', () => {
  const target = Float32Array.from([7, 7]);
  pool(hidden, 0, { tokens: 3, skip: 3 }, 2, ['max'], target);
  assert.deepEqual(target, new Float32Array(2));
});

test('several modes are concatenated in their order', () => {
  const target = new Float32Array(4);
  pool(hidden, 0, { tokens: 3, skip: 0 }, 2, ['cls', 'max'], target);
  assert.deepEqual(target, Float32Array.from([1, -1, 3, -1]));
});

test('a normalised vector has length 1, and zero stays zero', () => {
  const vector = Float32Array.from([3, 4]);
  normalize(vector);
  assert.deepEqual(vector, Float32Array.from([0.6, 0.8]));
  const zero = new Float32Array(2);
  normalize(zero);
  assert.deepEqual(zero, new Float32Array(2));
});
