import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createFileState } from '#embatch/ledger/file-state.js';
import type { StateStore } from '#embatch/core/interfaces.js';
import { fleetStatus } from '#embatch/job/fleet/status.js';
import {
  claim,
  jobName,
  latestSubmission,
  withdraw,
  type Submission,
} from '#embatch/job/fleet/submissions.js';
import { tempFolder } from '../../../support/temp-folder.js';

async function emptyState(t: TestContext): Promise<StateStore> {
  return createFileState(join(await tempFolder(t), 'state'));
}

const run = (minute: number): string => `20261122t10${String(minute).padStart(2, '0')}00z-0001`;

async function shardEnded(state: StateStore, name: string, minute: number, exitCode: number): Promise<void> {
  const summary = { run: run(minute), exitCode, objects: { mine: 2, embedded: 2 } };
  await state.put(
    `shards/${name}/run.json`,
    JSON.stringify({ run: run(minute), time: '2026-11-22T10:00:00Z' }),
  );
  await state.put(`shards/${name}/summary.json`, JSON.stringify(summary));
}

async function shardAtWork(state: StateStore, name: string, minute: number): Promise<void> {
  const start = { run: run(minute), time: new Date().toISOString(), host: 'elsewhere', pid: 1 };
  await state.put(`shards/${name}/run.json`, JSON.stringify(start));
  const beat = { ...start, settled: 10, total: 30, tokens: 500, seconds: 5, failed: 0, written: 10 };
  await state.put(`shards/${name}/heartbeat.json`, JSON.stringify(beat));
}

const submission = (attempt: number, shards: number, since?: string): Submission => ({
  name: `embatch-docs-0a1b2c3d-a${attempt}`,
  engine: 'local',
  shards,
  attempt,
  time: `2026-11-22T1${attempt}:00:00.000Z`,
  since,
  handle: undefined,
  source: 'docs',
  sink: 'jsonl:v',
  isTaken: true,
});

test('all done: 0; with dead letters: 20; at work: 26; one lost or never started: 27', async (t) => {
  const state = await emptyState(t);
  await shardEnded(state, '0-of-2', 1, 0);
  const lone = await fleetStatus(state);
  assert.deepEqual([lone.exitCode, lone.phases['not started'], lone.phases.done], [27, 1, 1]);
  await shardAtWork(state, '1-of-2', 2);
  const working = await fleetStatus(state);
  assert.deepEqual([working.exitCode, working.status], [26, 'running']);
  assert.deepEqual([working.tokensPerSecond, working.secondsLeft], [100, 10]);
  assert.deepEqual(working.objects, { total: 32, settled: 12, failed: 0 });
  await shardEnded(state, '1-of-2', 2, 20);
  assert.equal((await fleetStatus(state)).exitCode, 20);
  await shardEnded(state, '1-of-2', 3, 0);
  assert.equal((await fleetStatus(state)).exitCode, 0);
  await shardEnded(state, '1-of-2', 4, 23);
  assert.equal((await fleetStatus(state)).exitCode, 27);
});

test('the number of shards that was started last counts', async (t) => {
  const state = await emptyState(t);
  for (const n of [0, 1, 2]) await shardEnded(state, `${n}-of-3`, 1, 0);
  await shardEnded(state, '0-of-2', 5, 0);
  const status = await fleetStatus(state);
  assert.deepEqual([status.count, status.phases.done, status.phases['not started']], [2, 1, 1]);
});

test('after a submit, what earlier attempts have ended with does not count', async (t) => {
  const state = await emptyState(t);
  await shardEnded(state, '0-of-2', 1, 0);
  await shardEnded(state, '1-of-2', 2, 23);
  await claim(state, submission(1, 2, run(2)));
  const sent = await fleetStatus(state);
  assert.deepEqual(
    [sent.exitCode, sent.phases['not started'], sent.job],
    [27, 2, 'embatch-docs-0a1b2c3d-a1'],
  );
  await shardEnded(state, '0-of-2', 3, 0);
  await shardEnded(state, '1-of-2', 3, 0);
  assert.equal((await fleetStatus(state)).exitCode, 0);
});

test('a retry counts for what had failed, and for nothing that was never tried', async (t) => {
  const state = await emptyState(t);
  await shardEnded(state, '0-of-2', 1, 20);
  const retry = (minute: number, exitCode: number): Promise<void> =>
    state.put('shards/0-of-1/retry.json', JSON.stringify({ run: run(minute), exitCode }));
  await retry(2, 0);
  const lone = await fleetStatus(state);
  assert.deepEqual([lone.exitCode, lone.phases.done, lone.phases['not started']], [27, 1, 1]);
  await shardEnded(state, '1-of-2', 3, 20);
  assert.equal((await fleetStatus(state)).exitCode, 20, 'what failed after the retry still does');
  await retry(4, 20);
  assert.equal((await fleetStatus(state)).exitCode, 20);
  await retry(5, 0);
  assert.equal((await fleetStatus(state)).exitCode, 0);
});

test('shards of another start do not count, where the engine tells starts apart', async (t) => {
  const state = await emptyState(t);
  const start = (name: string, minute: number, fleet: string): Promise<void> =>
    state.put(`shards/${name}/run.json`, JSON.stringify({ run: run(minute), time: '', fleet }));
  for (const n of [0, 1]) await shardEnded(state, `${n}-of-2`, 1, 0);
  await start('0-of-2', 1, 'GITHUB_RUN_ID=1');
  await start('1-of-2', 1, 'GITHUB_RUN_ID=1');
  assert.equal((await fleetStatus(state)).exitCode, 0);
  await shardEnded(state, '0-of-2', 5, 0);
  await start('0-of-2', 5, 'GITHUB_RUN_ID=2');
  const tonight = await fleetStatus(state);
  assert.deepEqual([tonight.exitCode, tonight.phases.done, tonight.phases['not started']], [27, 1, 1]);
});

test('of a state that two jobs share, each sees its own shards', async (t) => {
  const state = await emptyState(t);
  const own = { ...submission(1, 2), source: 'docs' };
  const other = { ...submission(2, 2), source: 'other' };
  for (const n of [0, 1]) {
    await shardEnded(state, `${n}-of-2`, 1, 0);
    const start = { run: run(1), time: '', source: 'other', sink: 'jsonl:v' };
    await state.put(`shards/${n}-of-2/run.json`, JSON.stringify(start));
  }
  await claim(state, own);
  await claim(state, other);
  assert.equal((await fleetStatus(state, { submission: other })).exitCode, 0);
  assert.equal((await fleetStatus(state, { submission: own })).exitCode, 27);
});

test('a state that nobody has used is said to be so', async (t) => {
  const state = await emptyState(t);
  await assert.rejects(fleetStatus(state), { code: 'USAGE', message: /no shard of any run/ });
});

test('a blob that was cut off counts as none', async (t) => {
  const state = await emptyState(t);
  await shardEnded(state, '0-of-1', 1, 0);
  await state.put('shards/0-of-1/heartbeat.json', '{"run":"2026');
  assert.equal((await fleetStatus(state)).exitCode, 0);
});

test('one name can be claimed once, and be given back', async (t) => {
  const state = await emptyState(t);
  const first = submission(1, 2);
  assert.deepEqual([await claim(state, first), await claim(state, first)], [true, false]);
  await claim(state, submission(2, 2));
  assert.equal((await latestSubmission(state, 'embatch-docs-0a1b2c3d'))?.attempt, 2);
  await withdraw(state, submission(2, 2));
  assert.equal((await latestSubmission(state))?.attempt, 1);
  assert.equal(await latestSubmission(state, 'embatch-other'), undefined);
});

test('the name of a job follows from source, sink and state, and suits every engine', () => {
  const job = { source: 's3://Bucket_1/Some Docs/', sink: 'opensearch://h:9200/docs', state: 's3://b/state' };
  const name = jobName(job);
  assert.match(name, /^embatch-bucket-1-[a-z-]*-?[0-9a-f]{8}$/);
  assert.equal(jobName(job), name);
  for (const other of [{ source: 's3://b/' }, { sink: 'lancedb:x' }, { state: 's3://b/other' }]) {
    assert.notEqual(jobName({ ...job, ...other }), name);
  }
  const long = jobName({ ...job, source: `s3://${'long-prefix/'.repeat(50)}` });
  assert.ok(`${long}-a999`.length <= 45, long);
  assert.match(jobName({ ...job, source: 's3://-/ü' }), /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
});
