/** What `run` leaves to its engine, and what dead letters do to its exit code there. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RunSummary } from '#embatch/job/summary.js';
import { runCli, summaryOf } from '../support/run-cli.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';

const documents = { 'good.md': '# Tides\n\nThe moon raises the sea.\n', 'bad.jsonl': '{"text": \n' };

for (const [name, args, env, code] of [
  ['without the flag', [], {}, 20],
  ['with it', ['--tolerate-dead-letters'], {}, 0],
  ['with its variable', [], { EMBATCH_TOLERATE_DEAD_LETTERS: 'true' }, 0],
] as const) {
  test(`dead letters ${name} end a run with ${code}; summary and state say 20`, async (t) => {
    const folder = await tempFolder(t);
    await writeFiles(folder, documents);
    const command = [
      'run',
      '.',
      '--sink',
      'jsonl:./out',
      '--state',
      './state',
      '--json',
      '--text-field',
      'text',
    ];
    const ended = await runCli([...command, ...args], { cwd: folder, env });
    assert.equal(ended.code, code, ended.stderr);
    const summary = summaryOf(ended);
    assert.deepEqual([summary.status, summary.exitCode, summary.objects.failed], ['partial', 20, 1]);
    const stored = await readFile(join(folder, 'state/shards/0-of-1/summary.json'), 'utf8');
    assert.equal((JSON.parse(stored) as RunSummary).exitCode, 20);
  });
}

test('the flag tolerates nothing but dead letters', async (t) => {
  const folder = await tempFolder(t);
  const { code } = await runCli(['run', './missing', '--tolerate-dead-letters'], { cwd: folder });
  assert.equal(code, 21);
});
