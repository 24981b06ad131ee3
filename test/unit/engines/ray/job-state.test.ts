import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fleetState, parseJob, type RayJob } from '#embatch/engines/ray/job-state.js';

const job = (status: string, more: Partial<RayJob> = {}): RayJob => ({ submission_id: 'x', status, ...more });

const phases: readonly (readonly [readonly (string | undefined)[], string])[] = [
  [['PENDING', 'PENDING'], 'waiting'],
  [['PENDING', 'RUNNING'], 'running'],
  [['PENDING', 'SUCCEEDED'], 'running'],
  [['PENDING', 'FAILED'], 'running'],
  [['RUNNING', 'FAILED'], 'running'],
  [['SUCCEEDED', 'SUCCEEDED'], 'succeeded'],
  [['SUCCEEDED', 'FAILED'], 'failed'],
  [['STOPPED', 'FAILED'], 'failed'],
  [['STOPPED', 'SUCCEEDED'], 'stopped'],
  [['SUCCEEDED', undefined], 'failed'],
  [['RUNNING', undefined], 'running'],
];

for (const [statuses, phase] of phases) {
  test(`jobs that are ${statuses.map((status) => status ?? 'not there').join(' and ')}: ${phase}`, () => {
    const state = fleetState(statuses.map((status) => (status === undefined ? undefined : job(status))));
    assert.equal(state?.phase, phase);
    assert.equal(state.shards.length, statuses.filter((status) => status !== undefined).length);
    assert.equal(state.reason, statuses.includes(undefined) ? 'Ray does not know shard 1' : undefined);
  });
}

test('a fleet of which there is nothing is not known', () => {
  assert.equal(fleetState([undefined, undefined]), undefined);
});

const codes: readonly (readonly [number | null | undefined, number | undefined])[] = [
  [0, 0],
  [22, 22],
  [-9, 137],
  [-15, 143],
  [null, undefined],
  [undefined, undefined],
];

for (const [told, exitCode] of codes) {
  test(`driver_exit_code ${String(told)} is the exit code ${String(exitCode)}`, () => {
    const state = fleetState([job('FAILED', { driver_exit_code: told })]);
    assert.equal(state?.shards[0]?.exitCode, exitCode);
  });
}

test('the reason is the last line that was said', () => {
  const message =
    'Job entrypoint command failed with exit code 2, last available logs:\n…\nembatch: no such option\n';
  assert.equal(fleetState([job('FAILED', { message })])?.shards[0]?.reason, 'embatch: no such option');
  assert.equal(fleetState([job('SUCCEEDED', { message: '' })])?.shards[0]?.reason, undefined);
});

test('a status of a later Ray is an error and no guess', () => {
  assert.throws(() => fleetState([job('QUEUED')]), { code: 'ENGINE', message: /QUEUED/ });
});

test('what is no job is none', () => {
  for (const text of ['', '<html>', '[]', '{}', '{"status":1,"submission_id":"x"}']) {
    assert.equal(parseJob(text), undefined);
  }
});
