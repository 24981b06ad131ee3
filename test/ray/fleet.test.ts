/** The whole program on a real Ray cluster: submitted, one shard killed, submitted again, verified. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { existsSync } from 'node:fs';
import { eventually } from '../support/eventually.js';
import { runCli, type Ended } from '../support/run-cli.js';
import { rayToken, rayUrl, skipWithoutRay } from '../support/services.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';
import { entrypoint, openEngine, processWith, untilEnded } from './support.js';

const SHARDS = 3;
const KILLED = 1;

/** Enough that a shard is at work for some seconds. */
const documents = Object.fromEntries(
  Array.from({ length: 90 }, (_, index) => [
    `docs/${index}.md`,
    Array.from({ length: 200 }, (__, word) => `word${(index * 7 + word * word) % 997}`).join(' '),
  ]),
);

test(
  'a fleet that lost a shard to kill -9 is completed by a second submit',
  { skip: skipWithoutRay },
  async (t) => {
    const folder = await tempFolder(t);
    await writeFiles(folder, documents);
    const state = join(folder, 'state');
    const job = [join(folder, 'docs'), '--sink', `lancedb:${join(folder, 'vectors')}`, '--state', state];
    const cluster = ['--address', rayUrl(), '--entrypoint', entrypoint];
    const env = { RAY_AUTH_TOKEN: rayToken() };
    const submit = (...flags: string[]): Promise<Ended> =>
      runCli(['submit', 'ray', ...job, '--shards', String(SHARDS), ...cluster, ...flags], { env });
    const { engine } = await openEngine(t);

    const first = await submit('--json');
    assert.equal(first.code, 0, first.stderr);
    const { job: name } = JSON.parse(first.stdout) as { job: string };
    const refused = await submit();
    assert.deepEqual([refused.code, refused.stdout], [2, ''], 'a fleet at work is not doubled');
    assert.match(refused.stderr, /so nothing was started/);

    await eventually('the shard is at work', () =>
      existsSync(join(state, 'shards', `${KILLED}-of-${SHARDS}`, 'run.json')),
    );
    const pid = await processWith({ EMBATCH_SHARD: String(KILLED), EMBATCH_STATE: state });
    assert.ok(pid !== undefined, 'the shard runs as a process of this machine');
    process.kill(pid, 'SIGKILL');

    const ended = await untilEnded(engine, { ...fleetOf(name), shards: SHARDS });
    assert.equal(ended.phase, 'failed');
    assert.deepEqual(
      ended.shards.map(({ phase, exitCode }) => [phase, exitCode]),
      [
        ['succeeded', 0],
        ['failed', 137],
        ['succeeded', 0],
      ],
    );
    const incomplete = await runCli(['verify', ...job]);
    assert.equal(incomplete.code, 25, `what the killed shard has not done is missing:\n${incomplete.stderr}`);

    const second = await submit('--wait', '--json');
    assert.equal(second.code, 0, second.stderr);
    assert.notEqual((JSON.parse(second.stdout) as { job: string }).job, name);
    const complete = await runCli(['verify', ...job]);
    assert.equal(complete.code, 0, complete.stderr);
  },
);

const fleetOf = (name: string) => ({
  name,
  arguments: [],
  environment: {},
  labels: { source: '', sink: '', state: '' },
});
