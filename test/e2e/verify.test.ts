/** The index is proved against source and ledger, and mended: with LanceDB, changed behind our back. */
import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { connect, type Table } from '@lancedb/lancedb';
import type { VerifyReport } from '#embatch/job/verify/report.js';
import { testData } from '../support/paths.js';
import { runCli, type Ended } from '../support/run-cli.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';

const tiny = ['--model', testData('models/tiny-bert')];

const files = {
  'docs/a.md': `# A\n\n${'The water of the lake was still. '.repeat(60)}`,
  'docs/b.md': 'a short one',
  'docs/c/deep.txt': 'another one, further down',
  'docs/records.jsonl': Array.from({ length: 20 }, (_, n) => `{"id":"r${n}","text":"record ${n}"}\n`).join(
    '',
  ),
  'docs/plain.jsonl': Array.from({ length: 20 }, (_, n) => `{"text":"line ${n}"}\n`).join(''),
  'docs/blank.md': '  \n',
  'docs/picture.png': 'x',
};

interface Indexed {
  readonly folder: string;
  readonly run: (...flags: string[]) => Promise<Ended>;
  readonly verify: (...flags: string[]) => Promise<VerifyReport>;
  readonly table: () => Promise<Table>;
}

/** A folder that was run into LanceDB. */
async function indexed(t: TestContext, more: Readonly<Record<string, string>> = {}): Promise<Indexed> {
  const folder = await tempFolder(t);
  await writeFiles(folder, { ...files, ...more });
  const run = (...flags: string[]): Promise<Ended> =>
    runCli(['run', 'docs', ...tiny, ...flags], { cwd: folder });
  const first = await run();
  assert.ok(first.code === 0 || first.code === 20, first.stderr);
  return {
    folder,
    run,
    async verify(...flags) {
      const ended = await runCli(['verify', 'docs', ...tiny, '--json', ...flags], { cwd: folder });
      assert.notEqual(ended.stdout, '', ended.stderr);
      const report = JSON.parse(ended.stdout) as VerifyReport;
      assert.equal(ended.code, report.exitCode, ended.stderr);
      return report;
    },
    table: async () => (await connect(join(folder, 'vectors'))).openTable('chunks'),
  };
}

const found = ({ findings }: Pick<VerifyReport, 'findings'>): string[] =>
  findings.map(({ key, finding }) => `${key} ${finding}`);

async function assertRepaired({ verify }: Indexed, expected: readonly string[]): Promise<VerifyReport> {
  assert.deepEqual(found(await verify()), expected);
  const repaired = await verify('--repair');
  assert.deepEqual([repaired.status, repaired.exitCode, repaired.findings], ['clean', 0, []]);
  assert.ok(repaired.repair !== undefined);
  assert.deepEqual(found(repaired.repair.found), expected);
  assert.deepEqual(found(await verify()), []);
  return repaired;
}

test('what a run wrote is clean: in words, in JSON, and for each shard', async (t) => {
  const { folder, verify, table } = await indexed(t, { 'docs/bad.json': '{"no":' });
  const report = await verify();
  const rows = await (await table()).countRows();
  assert.deepEqual([report.status, report.exitCode, report.findingsTotal], ['clean', 0, 0]);
  assert.deepEqual(report.rows, { own: rows, others: 0, uncovered: 0 });
  const { listed, verified, skipped, failed, differing } = report.objects;
  assert.deepEqual(
    { listed, verified, skipped, failed, differing },
    { listed: 8, verified: 5, skipped: 2, failed: 1, differing: 0 },
  );
  const accounted = Object.fromEntries(report.accounted.map(({ key, status }) => [key, status]));
  assert.deepEqual(accounted, { 'bad.json': 'failed', 'blank.md': 'skipped', 'picture.png': 'skipped' });

  const shards = [
    await verify('--shard', '0', '--shards', '2'),
    await verify('--shard', '1', '--shards', '2'),
  ];
  const sum = (of: (shard: VerifyReport) => number): number =>
    shards.reduce((total, shard) => total + of(shard), 0);
  assert.deepEqual(
    shards.map(({ status }) => status),
    ['clean', 'clean'],
  );
  assert.equal(
    sum(({ objects }) => objects.listed),
    listed,
  );
  assert.equal(
    sum(({ rows: { own } }) => own),
    rows,
  );

  const words = await runCli(['verify', 'docs', ...tiny], { cwd: folder });
  assert.equal(words.code, 0);
  assert.match(
    words.stdout,
    /^Clean, but 1 object failed in .*\n {2}objects {2}8 listed, 5 verified, 2 skipped .*, 1 failed\n/,
  );
  assert.match(words.stdout, /bad\.json +invalid JSON/);
});

test('rows that were deleted by hand are found, and repaired', async (t) => {
  const index = await indexed(t);
  const table = await index.table();
  const before = await table.countRows();
  await table.delete("metadata.key = 'a.md' AND metadata.chunk = 1");
  await table.delete("metadata.key = 'b.md'");
  await table.delete("metadata.key = 'plain.jsonl' AND metadata.record = '0'");
  await assertRepaired(index, ['a.md incomplete', 'b.md missing', 'plain.jsonl incomplete']);
  assert.equal(await (await index.table()).countRows(), before);
});

test('an object that left the source unseen by the ledger is an orphan, and its rows go', async (t) => {
  const index = await indexed(t, { 'docs/old.md': 'it will go' });
  const before = await (await index.table()).countRows();
  await rm(join(index.folder, 'docs/old.md'));
  await rm(join(index.folder, 'vectors/.embatch/ledger'), { recursive: true });
  const kept = await index.verify('--repair', '--no-delete');
  assert.deepEqual([found(kept), kept.exitCode], [['old.md orphan'], 25]);
  await assertRepaired(index, ['old.md orphan']);
  assert.equal(await (await index.table()).countRows(), before - 1);
});

test('more orphans than --max-delete-fraction allows stay, and the exit code too', async (t) => {
  const { folder, verify, table } = await indexed(t);
  await writeFiles(folder, { 'docs/new.md': 'the only one' });
  for (const key of Object.keys(files)) await rm(join(folder, key));
  await rm(join(folder, 'vectors/.embatch/ledger'), { recursive: true });
  const rows = await (await table()).countRows();
  const kept = await verify('--repair');
  assert.equal(kept.exitCode, 25);
  assert.deepEqual([kept.objects.orphan, kept.objects.missing, kept.objects.verified], [5, 0, 1]);
  assert.equal(await (await table()).countRows(), rows + 1);
  const forced = await verify('--repair', '--max-delete-fraction', '1');
  assert.equal(forced.exitCode, 0);
  assert.equal(await (await table()).countRows(), 1);
});

test('a file that changed, one that is new and one that is gone since the run', async (t) => {
  const index = await indexed(t);
  await writeFiles(index.folder, { 'docs/a.md': 'much shorter now', 'docs/new.md': 'a new one' });
  await rm(join(index.folder, 'docs/b.md'));
  const words = await runCli(['verify', 'docs', ...tiny], { cwd: index.folder });
  assert.equal(words.code, 25);
  assert.match(words.stdout, /^3 differences in /);
  assert.match(words.stdout, /\n {2}stale {4}a\.md +15 rows of another version than /);
  assert.match(words.stdout, /\nnext: embatch verify docs .* --repair\n$/);
  await assertRepaired(index, ['a.md stale', 'b.md orphan', 'new.md missing']);
});

test('a row that is there twice goes, and its object is embedded once', async (t) => {
  const index = await indexed(t);
  const table = await index.table();
  const before = await table.countRows();
  const copies = await table.query().where("metadata.key IN ('a.md', 'records.jsonl')").limit(30).toArrow();
  await table.add(copies);
  await assertRepaired(index, ['a.md duplicate', 'records.jsonl duplicate']);
  assert.equal(await (await index.table()).countRows(), before);
});

test('rows of another fingerprint are found, with a ledger and without', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/a.md': 'one', 'docs/b.md': 'two' });
  const flags = ['docs', ...tiny, '--sink', 'jsonl:out', '--json'];
  const verify = async (...more: string[]): Promise<VerifyReport> =>
    JSON.parse((await runCli(['verify', ...flags, ...more], { cwd: folder })).stdout) as VerifyReport;
  assert.equal((await runCli(['run', ...flags], { cwd: folder })).code, 0);
  const [part = ''] = (await readdir(join(folder, 'out'))).filter((name) => name.endsWith('.jsonl'));
  const lines = (await readFile(join(folder, 'out', part), 'utf8')).split('\n');
  const alter = (line: string, half: RegExp): string =>
    line.includes('"key":"b.md"') ? line.replace(half, '"fingerprint":"$1ffffffffffffffff$2"') : line;
  for (const half of [
    /"fingerprint":"()[0-9a-f]{16}(-[0-9a-f]{16})"/,
    /"fingerprint":"([0-9a-f]{16}-)[0-9a-f]{16}()"/,
  ]) {
    await writeFile(join(folder, 'out', part), lines.map((line) => alter(line, half)).join('\n'));
    assert.deepEqual(found(await verify()), ['b.md fingerprint']);
  }
  const repaired = await verify('--repair');
  assert.deepEqual([repaired.status, repaired.repair?.found.objects.fingerprint], ['clean', 1]);
});

test('without its ledger an index is proved from itself and its source, and the ledger made anew', async (t) => {
  const index = await indexed(t);
  const { folder, verify, run, table } = index;
  await rm(join(folder, 'vectors/.embatch'), { recursive: true });
  const lost = await verify();
  assert.deepEqual([lost.objects.verified, lost.objects.unrecorded], [0, 5]);
  assert.deepEqual(found(lost), ['blank.md missing'], 'that it is blank only its content can tell');

  await (await table()).delete("metadata.key = 'records.jsonl' AND metadata.record = '\"r3\"'");
  await (await table()).delete("metadata.key = 'a.md' AND metadata.chunk = 0");
  const rebuilt = await verify('--rebuild-ledger');
  assert.deepEqual(rebuilt.rebuilt, { recorded: 3, doubtful: 2 });
  assert.deepEqual(found(rebuilt), ['a.md incomplete', 'blank.md missing', 'records.jsonl incomplete']);

  const again = JSON.parse((await run('--json')).stdout) as { objects: Record<string, number> };
  assert.deepEqual([again.objects['unchanged'], again.objects['embedded']], [3, 2]);
  assert.equal((await verify()).status, 'clean');
});

test('a ledger that is made anew believes the index, not the ledger', async (t) => {
  const { verify, table } = await indexed(t);
  await (await table()).delete("metadata.key = 'b.md'");
  const rebuilt = await verify('--rebuild-ledger');
  assert.deepEqual(found(rebuilt), ['b.md missing']);
  assert.match(rebuilt.findings[0]?.detail ?? '', /neither index nor ledger/);
});

test('a sample finds a text and a vector that were altered, and the same sample comes again', async (t) => {
  const index = await indexed(t);
  const { verify, table } = index;
  const whole = await verify('--sample', '10000');
  const rows = await (await table()).countRows();
  assert.deepEqual([whole.status, whole.sample?.compared, whole.sample?.identical], ['clean', rows, rows]);

  const few = await verify('--sample', '7', '--seed', '3');
  assert.deepEqual([few.sample?.compared, few.sample?.seed], [7, 3]);

  // A list of the column type.
  const [row] = (await (await table()).query().where("metadata.key = 'b.md'").toArray()) as {
    vector: Iterable<number>;
  }[];
  const vector = Array.from(row?.vector ?? []);
  vector[0] = (vector[0] ?? 0) + 1e-4;
  await (await table()).update({ where: "metadata.key = 'b.md'", values: { vector } });
  await (
    await table()
  ).update({
    where: "metadata.key = 'plain.jsonl' AND metadata.record = '0'",
    values: { text: 'something else' },
  });
  assert.equal((await verify()).status, 'clean', 'facts alone do not tell');
  const sampled = await verify('--sample', '10000');
  assert.deepEqual(found(sampled), ['b.md vector', 'plain.jsonl text']);
  assert.equal(sampled.objects.differing, 2);
  assert.match(
    sampled.findings[0]?.detail ?? '',
    /^chunk 0 holds another vector than its text gives: cosine \d\.\d{7}, elements differ by up to 1\.0e-4$/,
  );
  assert.deepEqual(found(await verify('--sample', '10000', '--min-cosine', '0.99')), ['plain.jsonl text']);
  const repaired = await verify('--sample', '10000', '--repair');
  assert.deepEqual([repaired.status, repaired.sample?.identical], ['clean', rows]);
});

test('rows of other sources, prefixes and filters are left alone', async (t) => {
  const { folder, verify, table } = await indexed(t);
  await writeFiles(folder, { 'other/x.md': 'of another source' });
  const other = ['other', ...tiny, '--json'];
  assert.equal((await runCli(['run', ...other], { cwd: folder })).code, 0);
  const rows = await (await table()).countRows();
  const report = await verify('--repair');
  assert.deepEqual([report.status, report.rows.others, report.rows.own], ['clean', 1, rows - 1]);

  const narrow = await verify('--repair', '--include', '*.md');
  assert.deepEqual([narrow.status, narrow.objects.verified], ['clean', 2]);
  assert.ok(narrow.rows.uncovered > 0);
  const limited = await verify('--repair', '--limit', '1');
  assert.deepEqual([limited.status, limited.objects.listed], ['clean', 1]);
  assert.equal(await (await table()).countRows(), rows);
});

test('where there is no index, and where a shard has no number, the command says so', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/a.md': 'x' });
  for (const [flags, words] of [
    [[], /there is no index in lancedb:\.\/vectors/],
    [['--shard', '1'], /--shards/],
    [['--sample', '0'], /--sample must be/],
  ] as const) {
    const ended = await runCli(['verify', 'docs', ...tiny, '--json', ...flags], { cwd: folder });
    assert.equal(ended.code, 2, ended.stderr);
    assert.match(ended.stderr, words);
    assert.equal((JSON.parse(ended.stdout) as { status: string }).status, 'failed');
  }
});
