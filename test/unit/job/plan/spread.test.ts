import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Spread } from '#embatch/job/plan/spread.js';
import { shareOf } from '#embatch/job/share.js';
import type { SourceObject } from '#embatch/core/interfaces.js';
import { randomNumbers } from '../../../support/random.js';

const RANGE_BYTES = 1000;
const COUNTS = [1, 2, 4, 8, 13];

const objectOf = (key: string, size: number): SourceObject => ({ key, size, version: 'v', lastModified: '' });

test('the load of every shard is what the shards themselves would take, ranges and all', () => {
  const random = randomNumbers(1);
  const objects = Array.from({ length: 300 }, (_, n) =>
    objectOf(`docs/${n}.${n % 5 === 0 ? 'jsonl' : 'txt'}`, Math.floor(random() * (n % 5 === 0 ? 9000 : 600))),
  );
  const spread = new Spread(COUNTS);
  const work = new Map([
    ['lines', 3],
    ['texts', 1],
  ]);
  const classOf = ({ key }: SourceObject): string => (key.endsWith('.jsonl') ? 'lines' : 'texts');
  for (const object of objects) {
    spread.add(
      classOf(object),
      object.key,
      object.size,
      object.key.endsWith('.jsonl') ? RANGE_BYTES : undefined,
    );
  }
  const loads = spread.loads((name) => work.get(name) ?? 0);
  assert.deepEqual(
    loads.map(({ shards }) => shards),
    COUNTS,
  );
  for (const { shards: count, largestShare, imbalance } of loads) {
    const bytes = Array.from({ length: count }, (_, index) =>
      objects.reduce((sum, object) => {
        const { isMine, ranges, mine } = shareOf(object, {
          shard: { index, count },
          rangeBytes: RANGE_BYTES,
        });
        const own =
          ranges === undefined
            ? isMine
              ? object.size
              : 0
            : mine.reduce((all, { start, end }) => all + end - start, 0);
        return sum + own * (work.get(classOf(object)) ?? 0);
      }, 0),
    );
    const all = bytes.reduce((sum, each) => sum + each, 0);
    assert.ok(Math.abs(largestShare - Math.max(...bytes) / all) < 1e-12, `${count} shards`);
    assert.ok(Math.abs(imbalance - largestShare * count) < 1e-12);
  }
});

test('without any work, shards are even', () => {
  assert.deepEqual(
    new Spread([4]).loads(() => 1),
    [{ shards: 4, largestShare: 0.25, imbalance: 1 }],
  );
});
