/** A listing that is written once and read by all shards. */
import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { testData } from '../support/paths.js';
import { runCli, summaryOf } from '../support/run-cli.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';

const model = ['--model', testData('models/tiny-bert')];

const documents = Object.fromEntries([
  ...Array.from({ length: 40 }, (_, n) => [`docs/${n % 3}/${n} é😀.txt`, `Document number ${n} of them.`]),
  ['docs/records.jsonl', '{"text":"one"}\n{"text":"two"}'],
  ['docs/picture.png', 'x'],
]) as Record<string, string>;

async function rowsOf(folder: string): Promise<string[]> {
  const names = (await readdir(folder, { recursive: true })).filter(
    (name) => name.endsWith('.jsonl') && !name.includes('.embatch'),
  );
  const files = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return files
    .flatMap((text) => text.trim().split('\n'))
    .map((line) => (JSON.parse(line) as { id?: string }).id ?? '')
    .sort();
}

test('shards that read a written listing do what shards do that list, and no more', async (t) => {
  const cwd = await tempFolder(t);
  await writeFiles(cwd, documents);
  const cli = (...args: readonly string[]): ReturnType<typeof runCli> =>
    runCli([...args, ...model, '--json'], { cwd });
  const manifest = ['--source-manifest', './listing'];

  const plan = await cli('plan', './docs', '--sink', 'jsonl:./other', '--write-manifest', './listing');
  assert.equal(plan.code, 0, plan.stderr);
  assert.match((JSON.parse(plan.stdout) as { manifest: string }).manifest, /listing$/);

  await writeFiles(cwd, { 'docs/newer.txt': 'Written after the listing.' });
  const shards = [];
  for (const shard of ['0', '1']) {
    shards.push(
      summaryOf(
        await cli('run', './docs', '--sink', 'jsonl:./index', '--shard', shard, '--shards', '2', ...manifest),
      ),
    );
  }
  assert.deepEqual(
    shards.map(({ status }) => status),
    ['complete', 'complete'],
  );
  assert.deepEqual(
    shards.map(({ objects }) => objects.listed),
    [42, 42],
    'what is newer is not seen',
  );
  await rm(join(cwd, 'docs', 'newer.txt'));
  const live = summaryOf(await cli('run', './docs', '--sink', 'jsonl:./live'));
  assert.equal(
    live.objects.embedded,
    shards.reduce((sum, { objects }) => sum + objects.embedded, 0),
  );
  assert.deepEqual(await rowsOf(join(cwd, 'index')), await rowsOf(join(cwd, 'live')));

  await t.test('what is newer than the listing and in the index stays', async () => {
    await writeFiles(cwd, { 'docs/newer.txt': 'Written after the listing.' });
    await rm(join(cwd, 'docs', '0', '0 é😀.txt'));
    const all = summaryOf(await cli('run', './docs', '--sink', 'jsonl:./live'));
    assert.deepEqual([all.objects.embedded, all.objects.deleted], [1, 1]);
    await rm(join(cwd, 'docs', '0', '3 é😀.txt'));
    const { objects } = summaryOf(await cli('run', './docs', '--sink', 'jsonl:./live', ...manifest));
    assert.equal(objects.deleted, 0, 'docs/newer.txt is not in the listing, and is not gone');
  });

  await t.test(
    'a listing of something else is refused, and a damaged one ends the run, deleting nothing',
    async () => {
      const before = await rowsOf(join(cwd, 'live'));
      const run = (...more: readonly string[]): ReturnType<typeof runCli> =>
        cli('run', './docs', '--sink', 'jsonl:./live', ...more);
      const filtered = await run(...manifest, '--exclude', '*.jsonl');
      assert.equal(filtered.code, 2);
      assert.match(
        filtered.stderr,
        /was taken of something else: --exclude was \[\], and is \["\*\.jsonl"\] now/,
      );
      const nowhere = await run('--source-manifest', './nowhere');
      assert.equal(nowhere.code, 2);
      assert.match(nowhere.stderr, /there is no listing at --source-manifest .*nowhere/);

      const names = await readdir(join(cwd, 'listing'));
      const block = join(cwd, 'listing', names.find((name) => name.startsWith('block-')) ?? '');
      const bytes = await readFile(block);
      await writeFile(block, bytes.subarray(0, bytes.length - 20));
      const cut = await run(...manifest);
      assert.equal(cut.code, 21, cut.stderr);
      assert.match(cut.stderr, /The listing in .* is damaged: block-\S+ has changed\. Nothing was deleted/);
      await rm(block);
      assert.match((await run(...manifest)).stderr, /block-\S+ is gone/);
      await writeFile(join(cwd, 'listing', 'listing.json'), '{"format":1');
      const headless = await run(...manifest);
      assert.equal(headless.code, 2);
      assert.match(headless.stderr, /no listing that this version understands/);
      assert.deepEqual(await rowsOf(join(cwd, 'live')), before);
    },
  );
});
