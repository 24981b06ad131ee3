/** The main job on the embedded default, with the bundled model: folder in, answers out. */
import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { RunSummary } from '#embatch/job/summary.js';
import { runCli } from '../support/run-cli.js';
import { tempFolder } from '../support/temp-folder.js';

const documents: Readonly<Record<string, string | Buffer>> = {
  'tea.md': '# Tea\n\nGreen tea is brewed at eighty degrees, black tea with boiling water.\n',
  'moon/tides.html':
    '<html><head><title>Tides</title></head><body><nav>Home</nav><h1>Tides</h1><p>The moon pulls the sea up twice a day.</p></body></html>',
  'records.jsonl':
    '{"id":"r1","text":"A lathe turns the workpiece against a cutting tool.","year":1900}\n' +
    '{"id":"r2","text":"Bees tell each other the way to food by dancing."}\n',
  'glaciers.txt.gz': gzipSync('Glaciers are rivers of ice that carve valleys.'),
  'empty.txt': '',
  'picture.png': Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'),
  '.hidden.md': 'Nobody should read this.',
};

async function writeDocuments(folder: string): Promise<void> {
  for (const [name, content] of Object.entries(documents)) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), content);
  }
}

interface Found {
  readonly hits: readonly {
    readonly score: number;
    readonly source: string;
    readonly metadata: { record?: string };
  }[];
}

test('a folder becomes an index that answers questions', async (context) => {
  const folder = await tempFolder(context);
  await writeDocuments(folder);

  const first = await runCli(['run', '.', '--json'], { cwd: folder });
  assert.equal(first.code, 0, first.stderr);
  const summary = JSON.parse(first.stdout) as RunSummary;
  assert.equal(summary.status, 'complete');
  assert.deepEqual(summary.objects, {
    listed: 6,
    mine: 6,
    unchanged: 0,
    embedded: 4,
    skipped: 2,
    failed: 0,
    deleted: 0,
  });
  assert.deepEqual([summary.documents, summary.chunks, summary.vectors.written], [5, 5, 5]);
  assert.equal(summary.sink, 'lancedb:./vectors');
  assert.deepEqual(summary.skippedBy, { empty: 1, 'type:image/png': 1 });

  for (const [question, source, record] of [
    ['how hot should water for tea be?', 'tea.md', undefined],
    ['what causes high and low water at the coast?', 'moon/tides.html', undefined],
    ['how do insects communicate?', 'records.jsonl', 'r2'],
    ['frozen landscape erosion', 'glaciers.txt.gz', undefined],
  ] as const) {
    const answer = await runCli(['search', question, '--json', '--k', '1'], { cwd: folder });
    assert.equal(answer.code, 0, answer.stderr);
    const [hit] = (JSON.parse(answer.stdout) as Found).hits;
    assert.ok(
      hit !== undefined && hit.source.startsWith('file:///') && hit.source.endsWith(`/${source}`),
      `${question}: ${JSON.stringify(hit)}`,
    );
    assert.equal(hit.metadata.record, record);
  }

  // Its own sink and state lie inside of the source by now, and are left out.
  const second = await runCli(['run', '.', '--json'], { cwd: folder });
  const again = JSON.parse(second.stdout) as RunSummary;
  assert.deepEqual(again.objects, { ...summary.objects, embedded: 0, unchanged: 4 });
  // Without its ledger it is made anew from the index, and nothing is done again.
  const third = await runCli(['run', '.', '--json', '--state', 'other'], { cwd: folder });
  const anew = JSON.parse(third.stdout) as RunSummary;
  assert.deepEqual([anew.objects, anew.vectors.written], [again.objects, 0]);
  const all = await runCli(['search', 'anything', '--json', '--k', '100'], { cwd: folder });
  assert.equal((JSON.parse(all.stdout) as Found).hits.length, 5);
});

test('the text output ends with counts, the rate and a next command that works', async (context) => {
  const folder = await tempFolder(context);
  await writeDocuments(folder);
  const { code, stdout } = await runCli(['run', '.', '--sink', 'lancedb:./my vectors'], { cwd: folder });
  assert.equal(code, 0);
  assert.match(stdout, /^Done in .*: 5 documents of 4 objects, 5 vectors in lancedb:\.\/my vectors$/m);
  assert.match(stdout, /^ {2}rate {5}[\d,]+ tokens\/s, [\d.]+ documents\/s$/m);
  assert.match(stdout, /^ {2}objects {2}6 listed, 2 skipped \(1 empty, 1 type:image\/png\)$/m);
  const next = /^next: embatch search "(.+)" --sink '(.+)'$/m.exec(stdout);
  const answer = await runCli(['search', next?.[1] ?? '', '--sink', next?.[2] ?? ''], { cwd: folder });
  assert.equal(answer.code, 0, answer.stderr);
  assert.match(answer.stdout, /^1\. /);
});

test('one bad document costs that document: it is reported and the exit code is 20', async (context) => {
  const folder = await tempFolder(context);
  await writeDocuments(folder);
  await writeFile(join(folder, 'broken.jsonl'), '{"text":"good"}\n{"text": oops}\n{"text":"also good"}\n');
  await writeFile(join(folder, 'binary.txt'), Buffer.from([1, 0, 2, 0, 0, 255]));
  await writeFile(join(folder, 'large.txt'), 'word '.repeat(1000));
  const args = ['run', '.', '--json', '--max-document-bytes', '4KB'];
  const { code, stdout } = await runCli(args, { cwd: folder });
  const summary = JSON.parse(stdout) as RunSummary;
  assert.equal(code, 20);
  assert.deepEqual([summary.status, summary.exitCode], ['partial', 20]);
  assert.equal(summary.objects.failed, 3);
  assert.equal(summary.documents, 7, 'the good records of a broken object are embedded');
  assert.match(summary.deadLetters ?? '', /dead-letters/);
  const [letters] = await readdir(join(folder, 'vectors/.embatch/dead-letters'));
  assert.ok(letters !== undefined);
});

test('JSONL holds one line per chunk, again after a second run', async (context) => {
  const folder = await tempFolder(context);
  await writeDocuments(folder);
  for (const state of ['out/.one', 'out/.two']) {
    const { code, stderr } = await runCli(['run', '.', '--sink', 'jsonl:out', '--state', state], {
      cwd: folder,
    });
    assert.equal(code, 0, stderr);
  }
  const files = (await readdir(join(folder, 'out'))).filter((name) => name.endsWith('.jsonl'));
  const lines = (await Promise.all(files.map((name) => readFile(join(folder, 'out', name), 'utf8'))))
    .flatMap((text) => text.trim().split('\n'))
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { id: string; vector: number[]; metadata: { key: string } });
  assert.equal(lines.length, 5);
  assert.equal(new Set(lines.map(({ id }) => id)).size, 5);
  for (const { vector } of lines) assert.equal(vector.length, 384);
  const search = await runCli(['search', 'tea', '--sink', 'jsonl:out'], { cwd: folder });
  assert.equal(search.code, 2);
  assert.match(search.stderr, /cannot be searched/);
});
