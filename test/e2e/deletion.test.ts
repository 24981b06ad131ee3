/** What left the source leaves the index, and nothing else does. */
import assert from 'node:assert/strict';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from '@lancedb/lancedb';
import { testData } from '../support/paths.js';
import { runCli, summaryOf } from '../support/run-cli.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';

const tiny = ['--model', testData('models/tiny-bert')];
const run = ['run', 'docs', ...tiny, '--json'];

/** Rows of each key in the table of a folder. */
async function rowsByKey(folder: string): Promise<Record<string, number>> {
  const connection = await connect(join(folder, 'vectors'));
  try {
    const table = await connection.openTable('chunks');
    const counts: Record<string, number> = {};
    for (const { metadata } of (await table.query().select(['metadata']).toArray()) as {
      metadata: { key: string };
    }[]) {
      counts[metadata.key] = (counts[metadata.key] ?? 0) + 1;
    }
    return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
  } finally {
    connection.close();
  }
}

const long = (word: string, chunks: number): string =>
  Array.from({ length: chunks }, (_, n) => `${`${word} ${n} `.repeat(40)}.`).join('\n\n');

test('rows of deleted objects go, and those that a shrunk, emptied or filtered record left over', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, {
    'docs/stays.md': 'one',
    'docs/shrinks.md': long('word', 8),
    'docs/goes.md': 'two',
    'docs/empties.md': 'three',
    'docs/records.jsonl': '{"id":"a","text":"first"}\n{"id":"b","text":"second"}\n',
  });
  const options = [...run, '--chunk-tokens', '64'];
  assert.equal(summaryOf(await runCli(options, { cwd: folder })).exitCode, 0);
  const before = await rowsByKey(folder);
  assert.ok((before['shrinks.md'] ?? 0) > 3, JSON.stringify(before));

  await writeFiles(folder, {
    'docs/shrinks.md': 'short',
    'docs/empties.md': '',
    'docs/records.jsonl': '{"id":"b","text":"second"}\n',
  });
  await rm(join(folder, 'docs/goes.md'));
  const second = summaryOf(await runCli(options, { cwd: folder }));
  assert.equal(second.exitCode, 0);
  assert.deepEqual(await rowsByKey(folder), { 'records.jsonl': 1, 'shrinks.md': 1, 'stays.md': 1 });
  assert.equal(second.objects.deleted, 1);
  assert.equal(second.vectors.deleted, (before['shrinks.md'] ?? 0) - 1 + 3);

  const third = summaryOf(await runCli(options, { cwd: folder }));
  assert.deepEqual([third.objects.deleted, third.vectors.deleted, third.objects.unchanged], [0, 0, 3]);
});

test('--no-delete keeps them, and a later run without it removes what is gone', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/a.md': 'one', 'docs/b.md': 'two', 'docs/c.md': 'three' });
  await runCli(run, { cwd: folder });
  await rm(join(folder, 'docs/b.md'));
  const kept = summaryOf(await runCli([...run, '--no-delete'], { cwd: folder }));
  assert.deepEqual([kept.exitCode, kept.objects.deleted], [0, 0]);
  assert.deepEqual(Object.keys(await rowsByKey(folder)), ['a.md', 'b.md', 'c.md']);
  assert.equal(summaryOf(await runCli(run, { cwd: folder })).objects.deleted, 1);
  assert.deepEqual(Object.keys(await rowsByKey(folder)), ['a.md', 'c.md']);
});

test('a source that lost more than the fraction allowed deletes nothing and says so', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/a.md': 'one', 'docs/b.md': 'two', 'docs/c.md': 'three' });
  await runCli(run, { cwd: folder });
  await rename(join(folder, 'docs'), join(folder, 'elsewhere'));
  await mkdir(join(folder, 'docs'));
  await writeFiles(folder, { 'docs/a.md': 'one, changed' });
  const refused = await runCli(run, { cwd: folder });
  assert.equal(refused.code, 21);
  assert.match(refused.stderr, /lacks 2 of 3 objects.*nothing was deleted.*--max-delete-fraction 1/);
  assert.deepEqual(await rowsByKey(folder), { 'a.md': 1, 'b.md': 1, 'c.md': 1 });
  const meant = summaryOf(await runCli([...run, '--max-delete-fraction', '1'], { cwd: folder }));
  // The changed object was done and is known, refusal or not.
  assert.deepEqual([meant.exitCode, meant.objects.deleted, meant.objects.unchanged], [0, 2, 1]);
  assert.deepEqual(await rowsByKey(folder), { 'a.md': 1 });
});

for (const [what, options] of [
  ['a narrower filter', ['--include', 'a*']],
  ['another filter', ['--exclude', 'b*']],
  ['a limit', ['--limit', '1']],
] as const) {
  test(`${what} deletes nothing that it leaves out`, async (t) => {
    const folder = await tempFolder(t);
    await writeFiles(folder, { 'docs/a.md': 'one', 'docs/b.md': 'two', 'docs/c.md': 'three' });
    await runCli(run, { cwd: folder });
    await rm(join(folder, 'docs/b.md'));
    const narrowed = summaryOf(await runCli([...run, ...options], { cwd: folder }));
    assert.deepEqual([narrowed.exitCode, narrowed.objects.deleted], [0, 0]);
    assert.deepEqual(Object.keys(await rowsByKey(folder)), ['a.md', 'b.md', 'c.md']);
  });
}

test('--delete-filtered removes what the filters leave out, there or not', async (t) => {
  const folder = await tempFolder(t);
  const names = ['a', 'b', 'c', 'd'];
  await writeFiles(folder, Object.fromEntries(names.map((name) => [`docs/${name}.md`, name])));
  await runCli(run, { cwd: folder });
  await rm(join(folder, 'docs/b.md'));
  await runCli([...run, '--include', 'a*', '--include', 'c*', '--delete-filtered'], { cwd: folder });
  assert.deepEqual(Object.keys(await rowsByKey(folder)), ['a.md', 'c.md']);
});

test('another source in the same sink keeps its documents, whatever the first one loses', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, {
    'docs/a.md': 'one',
    'docs/b.md': 'two',
    'other/c.md': 'three',
    'other/d.md': 'four',
  });
  await runCli(run, { cwd: folder });
  await runCli(['run', 'other', ...tiny, '--json'], { cwd: folder });
  await rm(join(folder, 'docs/b.md'));
  await rm(join(folder, 'other/c.md'));
  assert.equal(summaryOf(await runCli(run, { cwd: folder })).objects.deleted, 1);
  assert.deepEqual(Object.keys(await rowsByKey(folder)), ['a.md', 'c.md', 'd.md']);
});

test('each of several shards removes what is gone of its own keys', async (t) => {
  const folder = await tempFolder(t);
  const names = Array.from({ length: 12 }, (_, n) => `docs/${n}.md`);
  await writeFiles(folder, Object.fromEntries(names.map((name) => [name, `text of ${name}`])));
  await runCli(run, { cwd: folder });
  for (const name of names.slice(0, 4)) await rm(join(folder, name));
  let deleted = 0;
  for (const shard of ['0', '1', '2']) {
    const options = ['--shard', shard, '--shards', '3', '--max-delete-fraction', '1'];
    const summary = summaryOf(await runCli([...run, ...options], { cwd: folder }));
    deleted += summary.objects.deleted;
    assert.equal(summary.objects.embedded, 0);
  }
  assert.equal(deleted, 4);
  assert.equal(Object.keys(await rowsByKey(folder)).length, 8);
});

test('rows of a version that was cut in another way go, too', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/a.md': long('word', 8) });
  await runCli([...run, '--chunk-tokens', '32'], { cwd: folder });
  const before = (await rowsByKey(folder))['a.md'] ?? 0;
  const wide = [...run, '--chunk-tokens', '64', '--refresh-text'];
  const refreshed = summaryOf(await runCli(wide, { cwd: folder }));
  assert.equal(refreshed.exitCode, 0);
  assert.ok(refreshed.chunks < before, `${refreshed.chunks} of ${before}`);
  assert.deepEqual(await rowsByKey(folder), { 'a.md': refreshed.chunks });
});
