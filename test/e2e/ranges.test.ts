/** Large JSONL objects, shared out by ranges: the index is that of a run which reads them whole. */
import assert from 'node:assert/strict';
import { readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Row } from '#embatch/core/rows.js';
import type { RunSummary } from '#embatch/job/summary.js';
import { testData } from '../support/paths.js';
import { runCli, summaryOf } from '../support/run-cli.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';

const tiny = ['--model', testData('models/tiny-bert')];
const RECORDS = 120;

/** Records with ids or without, with all kinds of line ends. */
function records(word: string, { ids = false, count = RECORDS } = {}): string {
  const ends = ['\n', '\r\n', '\n', '\r'];
  return Array.from({ length: count }, (_, n) => {
    const text = `${word} ${n} `.repeat(1 + (n % 9));
    return `${JSON.stringify(ids ? { id: `r${n}`, text } : { text })}${ends[n % ends.length] ?? ''}`;
  }).join('');
}

async function run(
  folder: string,
  sink: string,
  options: readonly string[],
  command = 'run',
): Promise<RunSummary> {
  const words = [command, 'docs', '--sink', `jsonl:${sink}`, ...tiny, '--json', ...options];
  return summaryOf(await runCli(words, { cwd: folder }));
}

const split = ['--split-bytes', '1024'];

/** Every row that counts, by id. */
async function rowsOf(folder: string, sink: string): Promise<Map<string, Row>> {
  const rows = new Map<string, Row>();
  const names = (await readdir(join(folder, sink))).filter((name) => name.endsWith('.jsonl'));
  for (const name of names) {
    for (const line of (await readFile(join(folder, sink, name), 'utf8')).split('\n')) {
      if (line === '') continue;
      const row = JSON.parse(line) as Partial<Row>;
      // Others say that rows were removed.
      if (row.id !== undefined && row.text !== undefined) rows.set(row.id, row as Row);
    }
  }
  return rows;
}

const sorted = (rows: Map<string, Row>): unknown[] =>
  [...rows.values()]
    .map(({ id, text, vector, metadata: { record, chunk } }) => [id, text, vector, record, chunk])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));

async function verified(folder: string, sink: string, options: readonly string[] = split): Promise<number> {
  const words = ['verify', 'docs', '--sink', `jsonl:${sink}`, ...tiny, ...options];
  const { code, stdout } = await runCli(words, { cwd: folder });
  return code === 0 ? code : assert.fail(stdout);
}

for (const ids of [false, true]) {
  test(`one run, and three shards one after the other, end like a run over whole objects (ids: ${ids})`, async (t) => {
    const folder = await tempFolder(t);
    await writeFiles(folder, { 'docs/big.jsonl': records('ship', { ids }), 'docs/note.md': 'a note' });
    const whole = await run(folder, 'whole', []);
    assert.equal(whole.ranges.mine, 0);
    const one = await run(folder, 'one', split);
    const ranges = one.ranges.mine + 1;
    assert.ok(ranges > 5, `${ranges} ranges`);
    assert.deepEqual([one.objects.mine, one.objects.embedded, one.documents], [2, 2, RECORDS + 1]);

    const shards: RunSummary[] = [];
    for (const shard of [0, 1, 2]) {
      shards.push(await run(folder, 'three', [...split, '--shard', String(shard), '--shards', '3']));
    }
    const sum = (of: (summary: RunSummary) => number): number =>
      shards.reduce((total, summary) => total + of(summary), 0);
    assert.deepEqual([sum((s) => s.objects.mine), sum((s) => s.documents)], [2, RECORDS + 1]);
    assert.equal(
      sum((s) => s.ranges.mine),
      ranges - 1,
    );
    for (const { ranges: own } of shards) assert.ok(own.embedded > 0, 'every shard has a share');

    const expected = sorted(await rowsOf(folder, 'whole'));
    assert.deepEqual(sorted(await rowsOf(folder, 'one')), expected);
    assert.deepEqual(sorted(await rowsOf(folder, 'three')), expected);
    await verified(folder, 'one');
    await verified(folder, 'three');

    // With another number of shards nothing is done again.
    const again = await run(folder, 'three', split);
    assert.deepEqual([again.documents, again.objects.unchanged, again.ranges.unchanged], [0, 2, ranges - 1]);
  });
}

test('rows of a former version stay until the last shard has written the new one', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/big.jsonl': records('ship') });
  const shard = (n: number): Promise<RunSummary> =>
    run(folder, 'v', [...split, '--shard', String(n), '--shards', '2']);
  await shard(0);
  await shard(1);
  await writeFiles(folder, { 'docs/big.jsonl': records('cloud', { count: RECORDS - 30 }) });
  const first = await shard(0);
  assert.equal(first.vectors.deleted, 0);
  const rows = [...(await rowsOf(folder, 'v')).values()];
  assert.ok(
    rows.some(({ text }) => text.startsWith('ship')),
    'the old version is still there',
  );
  const second = await shard(1);
  assert.ok(second.vectors.deleted > 0);
  await verified(folder, 'v');
});

test('a run that was stopped goes on where its ranges end', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/big.jsonl': records('ship') });
  const first = await run(folder, 'v', [...split, '--shard', '0', '--shards', '2']);
  assert.ok(first.documents > 0 && first.documents < RECORDS);
  const rest = await run(folder, 'v', split);
  assert.equal(rest.documents, RECORDS - first.documents);
  await verified(folder, 'v');
});

test('a record that fails costs that record, and retry takes it alone', async (t) => {
  const folder = await tempFolder(t);
  const good = records('ship');
  const at = good.indexOf('{', 3000);
  await writeFiles(folder, { 'docs/big.jsonl': `${good.slice(0, at)}{"text": broken}\n${good.slice(at)}` });
  const shards = [0, 1].map((n) => [...split, '--shard', String(n), '--shards', '2']);
  const codes: number[] = [];
  for (const options of shards) codes.push((await run(folder, 'v', options)).exitCode);
  assert.deepEqual(
    codes.sort((a, b) => a - b),
    [0, 20],
  );
  const again = await run(folder, 'v', split);
  assert.deepEqual([again.exitCode, again.documents], [20, 0]);
  const retried = await run(folder, 'v', split, 'retry');
  assert.deepEqual([retried.exitCode, retried.documents], [20, 0]);
  await writeFiles(folder, { 'docs/big.jsonl': good });
  assert.equal((await run(folder, 'v', split)).exitCode, 0);
  await verified(folder, 'v');
});

test('an object that shrinks, goes, and comes back as it was is right each time', async (t) => {
  const folder = await tempFolder(t);
  const big = { 'docs/big.jsonl': records('ship'), 'docs/note.md': 'a note', 'docs/other.md': 'another' };
  await writeFiles(folder, big);
  const shards = async (): Promise<number> => {
    let documents = 0;
    for (const n of [0, 1]) {
      const summary = await run(folder, 'v', [...split, '--shard', String(n), '--shards', '2']);
      assert.equal(summary.exitCode, 0);
      documents += summary.documents;
    }
    return documents;
  };
  assert.equal(await shards(), RECORDS + 2);
  await writeFiles(folder, { 'docs/big.jsonl': '{"text":"small"}\n' });
  assert.equal(await shards(), 1);
  assert.equal((await rowsOf(folder, 'v')).size, 3);
  await verified(folder, 'v');
  await writeFiles(folder, { 'docs/big.jsonl': big['docs/big.jsonl'] });
  assert.equal(await shards(), RECORDS);
  await verified(folder, 'v');
  await rm(join(folder, 'docs/big.jsonl'));
  assert.equal(await shards(), 0);
  assert.equal((await rowsOf(folder, 'v')).size, 2);
  await verified(folder, 'v');
  await writeFiles(folder, { 'docs/big.jsonl': big['docs/big.jsonl'] });
  assert.equal(await shards(), RECORDS);
  await verified(folder, 'v');
});

test('what is named JSONL and cannot be read by ranges is read in one go, once', async (t) => {
  const folder = await tempFolder(t);
  const text = Array.from({ length: 300 }, (_, n) =>
    JSON.stringify({ text: `${n * 7919} ${Math.sin(n)}` }),
  ).join('\n');
  const wide = Buffer.from(`\ufeff${text}`, 'utf16le');
  await writeFiles(folder, { 'docs/packed.jsonl': gzipSync(text), 'docs/wide.jsonl': wide });
  const summary = await run(folder, 'v', split);
  assert.deepEqual([summary.exitCode, summary.documents], [0, 600]);
  assert.ok(summary.ranges.mine > 3);
  await verified(folder, 'v');
});

test('a repair embeds a large object again as a whole where rows of it are lacking', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/big.jsonl': records('ship') });
  await run(folder, 'v', split);
  const [name = ''] = (await readdir(join(folder, 'v'))).filter((file) => file.endsWith('.jsonl'));
  const path = join(folder, 'v', name);
  const lines = (await readFile(path, 'utf8')).split('\n');
  await writeFiles(folder, { [`v/${name}`]: lines.toSpliced(40, 5).join('\n') });
  const options = ['--sink', 'jsonl:v', ...tiny, ...split];
  assert.equal((await runCli(['verify', 'docs', ...options], { cwd: folder })).code, 25);
  assert.equal((await runCli(['verify', 'docs', ...options, '--repair'], { cwd: folder })).code, 0);
  assert.equal((await rowsOf(folder, 'v')).size, RECORDS);
});

test('a ledger that was lost is made anew for large objects, too', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/big.jsonl': records('ship'), 'docs/note.md': 'a note' });
  await run(folder, 'v', [...split, '--state', 'state']);
  await rm(join(folder, 'state'), { recursive: true });
  const again = await run(folder, 'v', [...split, '--state', 'state']);
  assert.deepEqual([again.exitCode, again.documents], [0, 0]);
  await verified(folder, 'v', [...split, '--state', 'state']);
});

test('a file that grows between listing and reading is not taken for whole', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/big.jsonl': records('ship'), 'docs/note.md': 'a note' });
  const plan = ['plan', 'docs', '--sink', 'jsonl:v', ...tiny, ...split, '--write-manifest', 'listing'];
  assert.equal((await runCli(plan, { cwd: folder })).code, 0);
  await writeFiles(folder, { 'docs/big.jsonl': records('ship') + records('cloud') });
  const old = await run(folder, 'v', [...split, '--source-manifest', 'listing']);
  assert.equal(old.exitCode, 20);
  const whole = await run(folder, 'v', split);
  assert.deepEqual([whole.exitCode, whole.documents], [0, 2 * RECORDS]);
  await verified(folder, 'v');
});

test('what has failed as a whole stays failed when it is shared out, and retry takes it', async (t) => {
  const folder = await tempFolder(t);
  const good = records('ship');
  const at = good.indexOf('{', 3000);
  await writeFiles(folder, { 'docs/big.jsonl': `${good.slice(0, at)}{"text": broken}\n${good.slice(at)}` });
  assert.equal((await run(folder, 'v', [])).exitCode, 20);
  assert.equal((await run(folder, 'v', split)).exitCode, 20);
  const retried = await run(folder, 'v', split, 'retry');
  assert.deepEqual([retried.exitCode, retried.documents > 0], [20, true]);
});

test('a version that comes back after another was begun is written again', async (t) => {
  const folder = await tempFolder(t);
  const path = join(folder, 'docs/big.jsonl');
  await writeFiles(folder, { 'docs/big.jsonl': records('ship') });
  const { atime, mtime } = await stat(path);
  await run(folder, 'v', split);
  await writeFiles(folder, { 'docs/big.jsonl': records('cloud') });
  await run(folder, 'v', [...split, '--shard', '0', '--shards', '2']);
  await writeFiles(folder, { 'docs/big.jsonl': records('ship') });
  await utimes(path, atime, mtime);
  assert.equal((await run(folder, 'v', split)).exitCode, 0);
  await verified(folder, 'v');
  const texts = [...(await rowsOf(folder, 'v')).values()].map(({ text }) => text);
  assert.ok(
    texts.every((text) => text.startsWith('ship')),
    'the version that is listed',
  );
});

test('a ledger that is made anew in the middle of a large object takes nothing back', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/big.jsonl': records('ship') });
  const first = await run(folder, 'v', [...split, '--shard', '0', '--shards', '2']);
  await runCli(['verify', 'docs', '--sink', 'jsonl:v', ...tiny, '--rebuild-ledger'], { cwd: folder });
  const rest = await run(folder, 'v', split);
  assert.equal(rest.documents, RECORDS - first.documents);
  await verified(folder, 'v');
});
