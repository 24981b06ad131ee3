import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chunkId } from '#embatch/core/ids.js';
import { IdSet } from '#embatch/job/verify/id-set.js';

function setOf(chunks: readonly number[]): IdSet {
  const set = new IdSet();
  for (const chunk of chunks) set.add(chunkId('s3://bucket/a', null, chunk));
  return set;
}

for (const [what, a, b, isEqual] of [
  ['nothing and nothing', [], [], true],
  ['another order', [1, 2, 3], [3, 1, 2], true],
  ['one too few', [1, 2, 3], [1, 2], false],
  ['another one', [1, 2, 3], [1, 2, 4], false],
  ['one twice in place of another', [1, 2, 3], [1, 2, 2], false],
] as const) {
  test(`sets of ids, ${what}: ${isEqual ? 'equal' : 'different'}`, () => {
    assert.equal(setOf(a).equals(setOf(b)), isEqual);
    assert.equal(setOf(b).equals(setOf(a)), isEqual);
  });
}
