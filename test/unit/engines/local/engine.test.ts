/** What becomes of processes by the way they end. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Fleet, FleetState } from '#embatch/engines/engine.js';
import { LocalEngine } from '#embatch/engines/local/engine.js';
import { recordingLogger } from '../../../support/recording-logger.js';
import { tempFolder } from '../../../support/temp-folder.js';

const fleet = (shards: number): Fleet => ({
  name: 'embatch-test-a1',
  shards,
  arguments: ['run'],
  environment: { EMBATCH_SHARDS: String(shards) },
  labels: { source: 's', sink: 's', state: 's' },
});

interface Ended {
  readonly state: FleetState;
  readonly folder: string;
}

/** Runs a script for each shard, `fs` and `shard` being at hand, until the engine has done with it. */
async function ended(t: TestContext, script: string, { shards = 1, retries = 1 } = {}): Promise<Ended> {
  const folder = await tempFolder(t);
  const program = join(folder, 'program.cjs');
  await writeFile(program, `const fs = require('fs'); const shard = process.env.EMBATCH_SHARD;\n${script}`);
  const engine = new LocalEngine({
    command: [process.execPath, program],
    logs: join(folder, 'logs'),
    retries,
    workersOf: () => 1,
    environment: { FOLDER: folder },
    log: recordingLogger(),
    backOffMs: 1,
  });
  const handle = await engine.submit(fleet(shards));
  await engine.close();
  const state = await engine.state({ name: fleet(shards).name, shards, handle });
  return { state: state ?? assert.fail('the engine has forgotten its fleet'), folder };
}

/** Counts its calls, and says which one this is. */
const counted = `const file = process.env.FOLDER + '/calls'; fs.appendFileSync(file, 'x'); const call = fs.readFileSync(file).length;\n`;
const calls = async (folder: string): Promise<number> => (await readFile(join(folder, 'calls'))).length;

for (const [what, script, phase, exitCode, times] of [
  ['ends well', 'process.exit(0)', 'succeeded', 0, 1],
  ['ends with dead letters', 'process.exit(20)', 'succeeded', 20, 1],
  ['fails each time', 'process.exit(23)', 'failed', 23, 2],
  ['fails once', 'process.exit(call === 1 ? 23 : 0)', 'succeeded', 0, 2],
  ['is told to stop by somebody else', 'process.exit(call < 5 ? 143 : 0)', 'succeeded', 0, 5],
  ['is wrong for all', 'process.exit(2)', 'failed', 2, 1],
  ['has a model that cannot be used', 'process.exit(22)', 'failed', 22, 1],
  [
    'is killed each time',
    "process.kill(process.pid, 'SIGKILL'); setTimeout(() => 0, 9999)",
    'failed',
    137,
    2,
  ],
  [
    'crashes natively each time',
    "process.kill(process.pid, 'SIGSEGV'); setTimeout(() => 0, 9999)",
    'failed',
    139,
    2,
  ],
] as const) {
  test(`a shard that ${what}: ${phase} after ${times}`, async (t) => {
    const { state, folder } = await ended(t, counted + script);
    assert.deepEqual([state.phase, state.shards[0]?.exitCode], [phase, exitCode]);
    assert.equal(await calls(folder), times);
  });
}

test('each shard has its number, its variables and a log of its own', async (t) => {
  const script = `console.log(shard, process.env.EMBATCH_SHARDS, process.argv[2]); console.error('to stderr')`;
  const { state, folder } = await ended(t, script, { shards: 3 });
  assert.equal(state.phase, 'succeeded');
  for (const shard of [0, 1, 2]) {
    const log = await readFile(join(folder, 'logs/embatch-test-a1', `shard-${shard}.log`), 'utf8');
    assert.equal(log, `${shard} 3 run\nto stderr\n`);
  }
});

test('what is wrong for one shard ends the others in good order', async (t) => {
  const script = `if (shard === '0') { while (!fs.existsSync(process.env.FOLDER + '/begun')); process.exit(2); }
    process.on('SIGTERM', () => process.exit(143)); setInterval(() => 0, 9999); fs.writeFileSync(process.env.FOLDER + '/begun', '')`;
  const { state } = await ended(t, script, { shards: 2 });
  assert.deepEqual(
    state.shards.map(({ phase, exitCode }) => [phase, exitCode]),
    [
      ['failed', 2],
      ['stopped', 143],
    ],
  );
});

test('a program that is not there is said to be so in the log', async (t) => {
  const folder = await tempFolder(t);
  const engine = new LocalEngine({
    command: [join(folder, 'nothing')],
    logs: folder,
    retries: 0,
    workersOf: () => 1,
    environment: {},
    log: recordingLogger(),
  });
  await engine.submit(fleet(1));
  await engine.close();
  const state = await engine.state({ name: fleet(1).name, shards: 1, handle: undefined });
  assert.deepEqual([state?.phase, state?.shards[0]?.exitCode], ['failed', 127]);
  assert.match(await readFile(join(folder, 'embatch-test-a1/shard-0.log'), 'utf8'), /ENOENT/);
});
