/** The example of docs/own-sink.md, as a reader would copy it. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot, testData } from '../support/paths.js';
import { runCli, summaryOf } from '../support/run-cli.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';

const run = ['run', 'docs', '--sink', './text-sink.js', '--model', testData('models/tiny-bert'), '--json'];

async function example(): Promise<string> {
  const page = await readFile(join(projectRoot, 'docs/own-sink.md'), 'utf8');
  return /```js\n(\/\/ text-sink\.js\n[\s\S]*?)```/.exec(page)?.[1] ?? assert.fail('no example on the page');
}

test('the example of a sink of one’s own keeps what is there, and loses what is gone', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/a.md': 'one', 'docs/b.md': 'two', 'text-sink.js': await example() });
  await writeFiles(folder, { 'package.json': '{"type":"module"}' });
  const first = await runCli(run, { cwd: folder });
  assert.equal(first.code, 0, first.stderr);
  await writeFiles(folder, { 'docs/a.md': 'changed', 'docs/b.md': '' });
  const second = summaryOf(await runCli(run, { cwd: folder }));
  assert.deepEqual([second.exitCode, second.vectors.deleted], [0, 2]);
  const rows = (await readFile(join(folder, 'text-sink/rows.tsv'), 'utf8')).trim().split('\n');
  assert.deepEqual(
    rows.map((row) => row.split('\t').at(-1)),
    ['"changed"'],
  );
});

test('a sink that cannot remove rows is refused, unless nothing is to be removed', async (t) => {
  const folder = await tempFolder(t);
  const unable = (await example()).replace('removeRows', 'another');
  await writeFiles(folder, {
    'docs/a.md': 'one',
    'text-sink.js': unable,
    'package.json': '{"type":"module"}',
  });
  const refused = await runCli(run, { cwd: folder });
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /has no method removeRows\. Add it, or use --no-delete/);
  assert.equal((await runCli([...run, '--no-delete'], { cwd: folder })).code, 0);
});
