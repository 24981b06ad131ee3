import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newRunId } from '#embatch/job/run-id.js';

test('a run id names its second, and later ones of a process are greater, however soon they come', () => {
  const now = new Date('2999-11-21T10:00:00.500Z');
  const ids = Array.from({ length: 200 }, () => newRunId(now));
  assert.match(ids[0] ?? '', /^29991121t100000z-80[0-9a-f]{2}$/);
  assert.deepEqual(ids, [...new Set(ids)].sort());
});

test('a run that starts a hundredth of a second later has a greater id', () => {
  const first = newRunId(new Date('2999-12-31T23:59:59.980Z'));
  const second = newRunId(new Date('2999-12-31T23:59:59.990Z'));
  const third = newRunId(new Date('3000-01-01T00:00:00.000Z'));
  assert.ok(first < second && second < third);
  assert.match(third, /^30000101t000000z-00[0-9a-f]{2}$/);
});
