import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { judgeShard } from '#embatch/job/fleet/judge-shard.js';
import type { ShardReport } from '#embatch/ledger/shard-reports.js';

const now = Date.parse('2026-11-22T12:00:00Z');
const ago = (seconds: number): string => new Date(now - seconds * 1000).toISOString();
const OLD = '20261122t110000z-0001';
const RUN = '20261122t115900z-0001';
const shard = { index: 1, count: 4 };
const elsewhere = { host: 'another-machine', pid: 17 };

function report(parts: Partial<ShardReport>): ShardReport {
  return { shard, start: undefined, heartbeat: undefined, summary: undefined, retry: undefined, ...parts };
}

const summary = (exitCode: number, run = RUN): ShardReport['summary'] => ({
  run,
  exitCode,
  objects: { mine: 10, unchanged: 4, embedded: 3, skipped: 2, failed: 1 },
  vectors: { written: 33 },
  tokens: 1000,
  seconds: 4,
  error: { message: 'the sink is gone' },
});

const cases: readonly (readonly [string, Partial<ShardReport>, string, (string | undefined)?])[] = [
  ['nothing at all', {}, 'not started'],
  ['begun a moment ago', { start: { run: RUN, time: ago(5), ...elsewhere } }, 'running'],
  ['begun long ago, and never heard of since', { start: { run: RUN, time: ago(500), ...elsewhere } }, 'dead'],
  [
    'heard of a moment ago',
    {
      start: { run: RUN, time: ago(500), ...elsewhere },
      heartbeat: { run: RUN, time: ago(9), ...elsewhere },
    },
    'running',
  ],
  [
    'silent for long',
    {
      start: { run: RUN, time: ago(500), ...elsewhere },
      heartbeat: { run: RUN, time: ago(31), ...elsewhere },
    },
    'dead',
  ],
  [
    'a process of this machine that is no more',
    { start: { run: RUN, time: ago(1), host: hostname(), pid: 2 ** 22 + 1 } },
    'dead',
  ],
  [
    'a process of this machine',
    { start: { run: RUN, time: ago(1), host: hostname(), pid: process.pid } },
    'running',
  ],
  ['ended well', { start: { run: RUN, time: ago(50) }, summary: summary(0) }, 'done'],
  ['ended with dead letters', { start: { run: RUN, time: ago(50) }, summary: summary(20) }, 'dead letters'],
  ['ended by its sink', { start: { run: RUN, time: ago(50) }, summary: summary(23) }, 'failed'],
  ['stopped', { start: { run: RUN, time: ago(50) }, summary: summary(143) }, 'stopped'],
  ['failed before it began', { summary: summary(22) }, 'failed'],
  [
    'begun anew after an end',
    { start: { run: RUN, time: ago(2), ...elsewhere }, summary: summary(0, OLD) },
    'running',
  ],
  [
    'of an earlier attempt',
    { start: { run: OLD, time: ago(2) }, summary: summary(0, OLD) },
    'not started',
    OLD,
  ],
  ['of this attempt', { start: { run: RUN, time: ago(2) }, summary: summary(0) }, 'done', OLD],
];

for (const [name, parts, phase, since] of cases) {
  test(`a shard, ${name}: ${phase}`, () => {
    assert.equal(judgeShard(report(parts), { since, now }).phase, phase);
  });
}

test('what has ended is told from its summary', () => {
  const { objects, settled, failed, vectors, exitCode, error } = judgeShard(
    report({ summary: summary(23) }),
    { since: undefined, now },
  );
  assert.deepEqual(
    [objects, settled, failed, vectors, exitCode, error],
    [10, 10, 1, 33, 23, 'the sink is gone'],
  );
});
