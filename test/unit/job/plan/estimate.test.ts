import assert from 'node:assert/strict';
import { test } from 'node:test';
import { estimate, type SampledObject, type Stratum } from '#embatch/job/plan/estimate.js';
import { randomNumbers } from '../../../support/random.js';

const none = { documents: 0, chunks: 0, tokens: 0, textBytes: 0 };

const object = (bytes: number, tokens: number): SampledObject => ({
  bytes,
  yield: { ...none, documents: 1, tokens },
  variance: none,
});

const bytesOf = (objects: readonly SampledObject[]): number =>
  objects.reduce((sum, { bytes }) => sum + bytes, 0);
const tokensOf = (objects: readonly SampledObject[]): number =>
  objects.reduce((sum, each) => sum + each.yield.tokens, 0);

/** Objects whose tokens follow their bytes more or less. */
function population(random: () => number, count: number, noise: number): SampledObject[] {
  return Array.from({ length: count }, () => {
    const bytes = Math.round(200 * 8 ** random());
    return object(bytes, Math.round((bytes / 4) * (1 + noise * (random() - 0.5))));
  });
}

function drawn(random: () => number, objects: readonly SampledObject[], size: number): Stratum {
  const sample = objects
    .map((each) => ({ each, place: random() }))
    .sort((a, b) => a.place - b.place)
    .slice(0, size)
    .map(({ each }) => each);
  return { objects: objects.length, bytes: bytesOf(objects), sample };
}

test('where all was read, the sum is exact and certain', () => {
  const all = population(randomNumbers(1), 40, 1);
  const strata = [drawn(randomNumbers(2), all.slice(0, 10), 10), drawn(randomNumbers(3), all.slice(10), 30)];
  const value = tokensOf(all);
  assert.deepEqual(estimate(strata, 'tokens'), { value, low: value, high: value });
});

test('what is the same for every object is certain from a sample', () => {
  const random = randomNumbers(4);
  assert.deepEqual(estimate([drawn(random, population(random, 500, 1), 20)], 'documents'), {
    value: 500,
    low: 500,
    high: 500,
  });
});

for (const [noise, strata, size] of [
  [0.2, 1, 30],
  [1.5, 1, 30],
  [1.5, 3, 10],
  [1, 4, 6],
] as const) {
  test(`${strata} strata of which ${size} are read, noise ${noise}: the range holds the truth at least 9 times out of 10`, () => {
    const random = randomNumbers(5);
    let held = 0;
    let width = 0;
    const rounds = 400;
    for (let round = 0; round < rounds; round++) {
      const populations = Array.from({ length: strata }, () => population(random, 200, noise));
      const truth = tokensOf(populations.flat());
      const { low, high } = estimate(
        populations.map((each) => drawn(random, each, size)),
        'tokens',
      );
      if (low <= truth && truth <= high) held += 1;
      width += (high - low) / truth / rounds;
    }
    assert.ok(held >= rounds * 0.9, `${held} of ${rounds}`);
    assert.ok(held < rounds * 0.995, `${held} of ${rounds}: a range that always holds says nothing`);
    assert.ok(width < 0.5, `as wide as ${width.toFixed(2)} of the truth`);
  });
}

test('one object of many leaves everything open', () => {
  const { value, low, high } = estimate(
    [{ objects: 100, bytes: 100_000, sample: [object(1000, 250)] }],
    'tokens',
  );
  assert.equal(value, 25_000);
  assert.equal(low, 250, 'no less than was seen');
  assert.ok(high > 2 * value);
});

test('nothing is nothing', () => {
  assert.deepEqual(estimate([], 'tokens'), { value: 0, low: 0, high: 0 });
});
