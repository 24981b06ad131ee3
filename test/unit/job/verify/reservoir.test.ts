import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reservoir, seededRandom } from '#embatch/job/verify/reservoir.js';

function drawn(size: number, count: number, seed: number): readonly number[] {
  const reservoir = new Reservoir<number>(size, seededRandom(seed));
  for (let n = 0; n < count; n++) reservoir.offer(() => n);
  return reservoir.items;
}

test('fewer items than the reservoir holds are all kept', () => {
  assert.deepEqual(drawn(10, 7, 1), [0, 1, 2, 3, 4, 5, 6]);
});

test('a seed draws the same items again, another seed others', () => {
  assert.deepEqual(drawn(20, 5000, 1), drawn(20, 5000, 1));
  assert.notDeepEqual(drawn(20, 5000, 1), drawn(20, 5000, 2));
  assert.equal(new Set(drawn(20, 5000, 1)).size, 20, 'none is drawn twice');
});

test('every item has the same chance', () => {
  const draws = 2000;
  const tenths = new Array<number>(10).fill(0);
  for (let seed = 0; seed < draws; seed++) {
    for (const item of drawn(5, 100, seed))
      tenths[Math.floor(item / 10)] = (tenths[Math.floor(item / 10)] ?? 0) + 1;
  }
  // 1000 expected in each tenth; six standard deviations are some 180.
  for (const count of tenths) assert.ok(Math.abs(count - 1000) < 180, tenths.join(' '));
});
