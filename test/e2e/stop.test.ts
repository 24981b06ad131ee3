/** Stopping: within three seconds, with what is acknowledged kept and the way on said. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { RunSummary } from '#embatch/job/summary.js';
import { eventually } from '../support/eventually.js';
import { runCli, type Ended } from '../support/run-cli.js';
import { tempFolder } from '../support/temp-folder.js';

/** More than is embedded in the time that these tests take. */
async function writeMuch(folder: string): Promise<void> {
  const sentence = 'The quick brown fox jumps over the lazy dog while the seven wizards wait for rain. ';
  for (let i = 0; i < 200; i++) await writeFile(join(folder, `${i}.txt`), `${i} ${sentence.repeat(200)}`);
}

interface Stopped extends Ended {
  /** From the last signal to the end. */
  readonly ms: number;
}

/** Sends the signals once the run is at work: as soon as it has a heartbeat in its state. */
async function stopped(
  context: TestContext,
  signals: readonly NodeJS.Signals[],
  args: readonly string[],
): Promise<Stopped> {
  const folder = await tempFolder(context);
  await writeMuch(folder);
  let child: ChildProcess | undefined;
  const running = runCli(['run', '.', '--sink', 'lancedb:./out', ...args], {
    cwd: folder,
    onSpawn: (spawned) => {
      child = spawned;
    },
  });
  await eventually('the run is at work', () =>
    existsSync(join(folder, 'out/.embatch/shards/0-of-1/heartbeat.json')),
  );
  let stderr = '';
  child?.stderr?.on('data', (text: string) => (stderr += text));
  let sent = 0;
  for (const signal of signals) {
    // Two signals in one moment are one to the system.
    if (sent > 0)
      await eventually('the first signal was seen', () => stderr.includes('finishing what is under way'));
    child?.kill(signal);
    sent = performance.now();
  }
  const ended = await running;
  return { ...ended, ms: performance.now() - sent };
}

for (const [signal, code] of [
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const) {
  test(`${signal} ends a run under full load with ${code}, a summary and the command that takes it up`, async (context) => {
    const { code: exitCode, stdout, stderr, ms } = await stopped(context, [signal], ['--json']);
    assert.equal(exitCode, code, stderr);
    const summary = JSON.parse(stdout) as RunSummary;
    assert.deepEqual([summary.status, summary.exitCode], ['stopped', code]);
    assert.ok(summary.objects.embedded < 200);
    assert.ok(ms < 3000, `ended after ${ms} ms`);
  });
}

test('a stopped run says what is safe and what to type', async (context) => {
  const { stdout } = await stopped(context, ['SIGTERM'], []);
  assert.match(stdout, /^Stopped in /m);
  assert.match(
    stdout,
    /vectors are written and stay\. The same command takes it up again:\n {2}embatch run \. --sink lancedb:\.\/out$/m,
  );
});

test('a second signal ends the run at once, not by an abort in native code', async (context) => {
  const { code, ms, stderr } = await stopped(context, ['SIGINT', 'SIGINT'], ['--json']);
  assert.ok(code === 130 || code === 137, `${code} ${stderr}`);
  assert.ok(ms < 1500, `ended after ${ms} ms`);
});
