import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobDetail, JobStatus, JobSummary } from '@aws-sdk/client-batch';
import { fleetState } from '#embatch/engines/aws-batch/job-state.js';

const parent = (changes: Partial<JobDetail> = {}): JobDetail => ({
  jobId: 'parent',
  jobName: 'docs',
  jobQueue: 'queue',
  jobDefinition: 'definition',
  startedAt: 0,
  status: 'PENDING',
  arrayProperties: { size: 3, statusSummary: {} },
  ...changes,
});

const child = (index: number, status: JobStatus, more: Partial<JobSummary> = {}): JobSummary => ({
  jobId: `parent:${index}`,
  jobName: 'docs',
  status,
  arrayProperties: { index },
  ...more,
});

const summaries: readonly (readonly [JobStatus, Record<string, number>, string])[] = [
  ['SUBMITTED', {}, 'waiting'],
  ['PENDING', { RUNNABLE: 3 }, 'waiting'],
  ['PENDING', { STARTING: 3 }, 'waiting'],
  ['PENDING', { RUNNABLE: 2, RUNNING: 1 }, 'running'],
  ['PENDING', { RUNNABLE: 2, SUCCEEDED: 1 }, 'running'],
  ['PENDING', { STARTING: 2, FAILED: 1 }, 'running'],
  ['SUCCEEDED', { SUCCEEDED: 3 }, 'succeeded'],
  ['FAILED', { SUCCEEDED: 2, FAILED: 1 }, 'failed'],
];

for (const [status, statusSummary, phase] of summaries) {
  test(`an array that is ${status} with ${JSON.stringify(statusSummary)} is ${phase}`, () => {
    assert.equal(
      fleetState(parent({ status, arrayProperties: { size: 3, statusSummary } }), []).phase,
      phase,
    );
  });
}

test('children keep their numbers, exit codes and the nearest reason', () => {
  const children = [
    child(2, 'FAILED', { statusReason: 'Essential container in task exited', container: { exitCode: 22 } }),
    child(0, 'SUCCEEDED', { container: { exitCode: 0 } }),
    child(1, 'FAILED', {
      statusReason: 'Essential container in task exited',
      container: { exitCode: 137, reason: 'OutOfMemoryError: Container killed due to memory usage' },
    }),
  ];
  const { phase, reason, shards } = fleetState(
    parent({ status: 'FAILED', statusReason: 'Array Child Job failed' }),
    children,
  );
  assert.deepEqual([phase, reason], ['failed', 'Array Child Job failed']);
  assert.deepEqual(shards, [
    { index: 0, phase: 'succeeded', exitCode: 0, reason: undefined },
    {
      index: 1,
      phase: 'failed',
      exitCode: 137,
      reason: 'OutOfMemoryError: Container killed due to memory usage',
    },
    { index: 2, phase: 'failed', exitCode: 22, reason: 'Essential container in task exited' },
  ]);
});

test('a child whose number is only in its id has it from there', () => {
  const { shards } = fleetState(parent(), [{ jobId: 'parent:11', jobName: 'docs', status: 'RUNNING' }]);
  assert.deepEqual([shards[0]?.index, shards[0]?.phase], [11, 'running']);
});

test('the exit code of an attempt before is none while the next one runs', () => {
  const { shards } = fleetState(parent(), [child(0, 'RUNNING', { container: { exitCode: 143 } })]);
  assert.equal(shards[0]?.exitCode, undefined);
});

const stops: readonly (readonly [string, Partial<JobSummary>])[] = [
  ['by embatch', { statusReason: 'Stopped by embatch.' }],
  ['in the console', { statusReason: 'enough', isTerminated: true }],
  ['before it ran', { isCancelled: true }],
];
for (const [how, more] of stops) {
  test(`a job that was ended ${how} was stopped, and has not failed`, () => {
    const { phase, shards } = fleetState(parent({ status: 'FAILED', ...more } as Partial<JobDetail>), [
      child(0, 'FAILED', more),
      child(1, 'SUCCEEDED', { container: { exitCode: 0 } }),
    ]);
    assert.deepEqual([phase, ...shards.map((shard) => shard.phase)], ['stopped', 'stopped', 'succeeded']);
  });
}

test('a plain job is its own only shard', () => {
  const { arrayProperties: _, ...plain } = parent({ status: 'FAILED', container: { exitCode: 23 } });
  assert.deepEqual(fleetState(plain, []).shards, [
    { index: 0, phase: 'failed', exitCode: 23, reason: undefined },
  ]);
});
