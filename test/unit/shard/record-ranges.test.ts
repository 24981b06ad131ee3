import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shardOfRange, splitIntoRanges } from '#embatch/shard/record-ranges.js';
import { shardOf } from '#embatch/shard/shard-of-key.js';

test('ranges follow each other from the first byte to the last', () => {
  assert.equal(splitIntoRanges(100, 100), undefined);
  assert.deepEqual(splitIntoRanges(250, 100), [
    { index: 0, count: 3, start: 0, end: 100 },
    { index: 1, count: 3, start: 100, end: 200 },
    { index: 2, count: 3, start: 200, end: 250 },
  ]);
});

test('ranges go round the shards, the first with its key, so that no shard has two more than another', () => {
  for (const count of [1, 2, 3, 7, 16]) {
    const shares = Array<number>(count).fill(0);
    for (let range = 0; range < 50; range++) {
      const shard = shardOfRange('big.jsonl', count, range);
      shares[shard] = (shares[shard] ?? 0) + 1;
    }
    assert.equal(shardOfRange('big.jsonl', count), shardOf('big.jsonl', count));
    assert.ok(Math.max(...shares) - Math.min(...shares) <= 1, `${count} shards: ${shares.join(' ')}`);
  }
});
