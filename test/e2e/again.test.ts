/** A second run costs only what changed, and a killed one is taken up where it was. */
import assert from 'node:assert/strict';
import { readFile, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { connect } from '@lancedb/lancedb';
import type { RunSummary } from '#embatch/job/summary.js';
import { testData } from '../support/paths.js';
import { eventually } from '../support/eventually.js';
import { runCli, summaryOf } from '../support/run-cli.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';

const tiny = ['--model', testData('models/tiny-bert')];

test('a second run embeds what is new or changed and nothing else', async (t) => {
  const folder = await tempFolder(t);
  const files = Object.fromEntries(
    Array.from({ length: 12 }, (_, n) => [`docs/${n}.md`, `text number ${n}`]),
  );
  await writeFiles(folder, { ...files, 'docs/blank.md': '   \n', 'docs/picture.png': 'x' });
  const run = ['run', 'docs', ...tiny, '--json'];
  const first = summaryOf(await runCli(run, { cwd: folder }));
  assert.deepEqual([first.objects.embedded, first.objects.skipped], [12, 2]);

  const second = summaryOf(await runCli(run, { cwd: folder }));
  assert.equal(second.exitCode, 0);
  assert.deepEqual([second.objects.unchanged, second.objects.embedded, second.objects.skipped], [12, 0, 2]);
  assert.deepEqual([second.tokens, second.vectors.written, second.documents], [0, 0, 0]);
  assert.deepEqual(second.skippedBy, first.skippedBy);

  await writeFiles(folder, { 'docs/3.md': 'another text for number 3', 'docs/new.md': 'a new one' });
  const third = summaryOf(await runCli(run, { cwd: folder }));
  assert.deepEqual([third.objects.unchanged, third.objects.embedded], [11, 2]);

  const refreshed = summaryOf(
    await runCli([...run, '--chunk-tokens', '32', '--refresh-text'], { cwd: folder }),
  );
  assert.deepEqual([refreshed.objects.unchanged, refreshed.objects.embedded], [0, 13]);
});

test('an index that was dropped is filled again, whatever the ledger says', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/a.md': 'one', 'docs/b.md': 'two' });
  const run = ['run', 'docs', ...tiny, '--state', 'state', '--json'];
  assert.equal(summaryOf(await runCli(run, { cwd: folder })).objects.embedded, 2);
  await rm(join(folder, 'vectors'), { recursive: true });
  const again = summaryOf(await runCli(run, { cwd: folder }));
  assert.deepEqual([again.objects.unchanged, again.objects.embedded], [0, 2]);
  const recreated = summaryOf(await runCli([...run, '--recreate'], { cwd: folder }));
  assert.deepEqual([recreated.objects.unchanged, recreated.objects.embedded], [0, 2]);
});

test('a version that comes back is embedded again where a later one was begun and failed', async (t) => {
  const folder = await tempFolder(t);
  const file = join(folder, 'docs/a.jsonl');
  const first = '{"text":"the first"}\n';
  const time = new Date('2026-01-01T00:00:00Z');
  const write = async (content: string): Promise<void> => {
    await writeFile(file, content);
    await utimes(file, time, time);
  };
  await writeFiles(folder, { 'docs/a.jsonl': first });
  await write(first);
  const run = ['run', 'docs', ...tiny, '--sink', 'jsonl:out', '--json'];
  assert.equal(summaryOf(await runCli(run, { cwd: folder })).exitCode, 0);
  await write('{"text":"another"}\n{"text": oops\n');
  assert.equal(summaryOf(await runCli(run, { cwd: folder })).exitCode, 20);
  await write(first);
  const back = summaryOf(await runCli(run, { cwd: folder }));
  assert.deepEqual([back.objects.unchanged, back.objects.embedded], [0, 1]);
});

test('other ids of records are another way to cut: the run says so, and --refresh-text uses them', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/a.jsonl': '{"id":"x","sku":"y","text":"a text"}\n' });
  const run = ['run', 'docs', ...tiny, '--json'];
  await runCli(run, { cwd: folder });
  const other = await runCli([...run, '--id-field', 'sku', '--refresh-text'], { cwd: folder });
  assert.equal(summaryOf(other).objects.embedded, 1);
  assert.match(other.stderr, /other chunk options/);
});

test('what failed stands until it has another version: it is not read again, and the exit code stays 20', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/good.md': 'fine', 'docs/bad.json': '{"no":' });
  const run = ['run', 'docs', ...tiny, '--json'];
  const first = summaryOf(await runCli(run, { cwd: folder }));
  assert.deepEqual([first.exitCode, first.objects.failed], [20, 1]);
  const again = summaryOf(await runCli(run, { cwd: folder }));
  assert.deepEqual([again.exitCode, again.objects.failed, again.objects.unchanged], [20, 1, 1]);
  await writeFile(join(folder, 'docs/bad.json'), '{"text":"now it is whole"}');
  const mended = summaryOf(await runCli(run, { cwd: folder }));
  assert.deepEqual([mended.exitCode, mended.objects.embedded, mended.objects.unchanged], [0, 1, 1]);
});

test('a run that was killed is taken up by one with another number of shards, and the index ends whole', async (t) => {
  const folder = await tempFolder(t);
  const sentence = 'The water of the lake was still, and the mountains stood on their heads in it. ';
  const count = 300;
  const names = Array.from({ length: count }, (_, n) => `docs/${n}.md`);
  await writeFiles(folder, Object.fromEntries(names.map((name, n) => [name, `${n}. ${sentence.repeat(8)}`])));
  const run = ['run', 'docs', '--state', 'state', '--sink-batch-rows', '8', '--workers', '1', '--json'];

  const hasLedger = async (): Promise<boolean> => {
    const ledger = join(folder, 'state/ledger');
    const paths = await readdir(ledger, { recursive: true }).catch((): string[] => []);
    // A file is there once its head is, which is written last.
    const isWhole = (path: string): boolean => paths.includes(join(dirname(path), 'head.json'));
    let done = 0;
    for (const path of paths.filter((name) => name.endsWith('.gz') && isWhole(name))) {
      const lines = await readFile(join(ledger, path)).then(gunzipSync, () => '');
      done += lines.toString().split('"done"').length - 1;
    }
    return done >= 8;
  };
  const killed = await runCli(run, {
    cwd: folder,
    onSpawn: (child) => {
      void eventually('a ledger that knows some objects', hasLedger).finally(() => child.kill('SIGKILL'));
    },
  });
  assert.equal(killed.code, 137);

  const shards: RunSummary[] = [];
  for (const shard of [0, 1, 2]) {
    const sharded = ['--shard', String(shard), '--shards', '3'];
    shards.push(summaryOf(await runCli([...run, ...sharded], { cwd: folder })));
  }
  const sum = (of: (summary: RunSummary) => number): number =>
    shards.reduce((total, summary) => total + of(summary), 0);
  assert.deepEqual(
    shards.map(({ exitCode }) => exitCode),
    [0, 0, 0],
  );
  assert.ok(sum(({ objects }) => objects.unchanged) >= 8, 'what the killed run had done is not done again');
  assert.equal(
    sum(({ objects }) => objects.unchanged + objects.embedded),
    count,
  );
  const table = await (await connect(join(folder, 'vectors'))).openTable('chunks');
  assert.equal(await table.countRows(), count, 'no vector is missing, and none is there twice');

  const after = summaryOf(await runCli(run, { cwd: folder }));
  assert.deepEqual([after.objects.unchanged, after.objects.embedded], [count, 0]);
});

test('a run that has lost its ledger makes it anew from the index, and embeds only what that cannot prove', async (t) => {
  const folder = await tempFolder(t);
  const records = Array.from({ length: 40 }, (_, n) => `{"id":"${n}","text":"record number ${n}"}\n`).join(
    '',
  );
  await writeFiles(folder, {
    'docs/a.md': 'one',
    'docs/b.md': 'two',
    'docs/shrinks.md': `${'word '.repeat(60)}\n\n`.repeat(8),
    'docs/whole.jsonl': records,
    'docs/half.jsonl': records,
  });
  const run = ['run', 'docs', ...tiny, '--state', 'state', '--chunk-tokens', '64', '--json'];
  const first = summaryOf(await runCli(run, { cwd: folder }));
  assert.equal(first.exitCode, 0);
  // As a run leaves it that was killed in the middle of an object.
  const table = await (await connect(join(folder, 'vectors'))).openTable('chunks');
  const { numDeletedRows } = await table.delete("metadata.key = 'half.jsonl' AND embatch.id > 'S'");
  assert.ok(numDeletedRows > 5 && numDeletedRows < 40, String(numDeletedRows));
  await rm(join(folder, 'state'), { recursive: true });
  await writeFiles(folder, { 'docs/shrinks.md': 'short' });

  const ended = await runCli(run, { cwd: folder });
  const again = summaryOf(ended);
  assert.match(ended.stderr, /made anew from the index: 3 objects are whole, 2 are embedded again/);
  assert.deepEqual([again.exitCode, again.objects.unchanged, again.objects.embedded], [0, 3, 2]);
  await table.checkoutLatest();
  assert.equal(await table.countRows(), 2 + 1 + 40 + 40);
  const third = summaryOf(await runCli(run, { cwd: folder }));
  assert.deepEqual([third.objects.unchanged, third.objects.embedded], [5, 0]);
});
