/** What fails becomes a dead letter, is not read again by a run, and is replayed by `retry`, record by record. */
import assert from 'node:assert/strict';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RunSummary } from '#embatch/job/summary.js';
import { lettersIn } from '../support/dead-letters.js';
import { writeFailingModel } from '../support/failing-model.js';
import { testData } from '../support/paths.js';
import { runCli, type Ended } from '../support/run-cli.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';

const model = ['--model', testData('models/tiny-bert')];
const job = ['docs', ...model, '--sink', 'jsonl:out', '--state', 'state', '--json'];

function summaryOf({ stdout, stderr }: Ended): RunSummary {
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout) as RunSummary;
}

/** What a test asks of most summaries. */
function facts({ exitCode, objects, documents, vectors }: RunSummary): unknown {
  return [exitCode, objects.failed, objects.unchanged, documents, vectors.written];
}

async function textsIn(folder: string): Promise<string[]> {
  const place = join(folder, 'out');
  const names = (await readdir(place)).filter((name) => name.endsWith('.jsonl'));
  const lines = await Promise.all(names.map((name) => readFile(join(place, name), 'utf8')));
  return lines
    .flatMap((text) => text.trimEnd().split('\n'))
    .map((line) => (JSON.parse(line) as { text: string }).text)
    .sort();
}

test('a record that fails stays failed until the file is mended, and then its letter is cleared', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, {
    'docs/a.jsonl': '{"id":"x","text":"one"}\n{"id":"x","text":"two"}\n{"text": oops\n{"text":"four"}\n',
    'docs/b.md': 'a good one',
  });
  assert.deepEqual(facts(summaryOf(await runCli(['run', ...job], { cwd: folder }))), [20, 1, 0, 3, 3]);
  const letters = await lettersIn(folder);
  assert.deepEqual(
    letters.map(({ record, stage, attempts, key }) => [record, stage, attempts, key]),
    [
      [{ id: 'x' }, 'parse', 1, 'a.jsonl'],
      [48, 'parse', 1, 'a.jsonl'],
    ],
  );
  assert.match(letters[1]?.reason ?? '', /^invalid JSON in the line at byte 48: /);

  const again = summaryOf(await runCli(['run', ...job], { cwd: folder }));
  assert.deepEqual(facts(again), [20, 1, 1, 0, 0]);
  assert.ok(again.deadLetters?.endsWith('state/dead-letters/*.jsonl'));
  assert.deepEqual(await lettersIn(folder), letters);

  const retried = summaryOf(await runCli(['retry', ...job], { cwd: folder }));
  // The id that stands twice does not say which of the two is meant, so all of the object is tried.
  assert.deepEqual(facts(retried), [20, 1, 1, 2, 2]);
  assert.deepEqual(
    (await lettersIn(folder)).map(({ attempts, run }) => [attempts, run]),
    [
      [2, retried.run],
      [2, retried.run],
    ],
  );

  await writeFiles(folder, { 'docs/a.jsonl': '{"id":"x","text":"one"}\n{"id":"y","text":"two"}\n' });
  assert.deepEqual(facts(summaryOf(await runCli(['run', ...job], { cwd: folder }))), [0, 0, 1, 2, 2]);
  assert.deepEqual(await lettersIn(folder), []);
  assert.deepEqual(await textsIn(folder), ['a good one', 'one', 'two']);
});

test('retry embeds the records that failed and no others, and clears their letters', async (t) => {
  const folder = await tempFolder(t);
  const long = 'many words '.repeat(300);
  await writeFiles(folder, {
    'docs/a.jsonl': `{"text":"one"}\n{"id":"long","text":"${long}"}\n{"text":"three"}\n`,
    'docs/b.md': 'a good one',
    'docs/c.md': long,
  });
  const limited = ['--max-document-bytes', '2000'];
  const first = summaryOf(await runCli(['run', ...job, ...limited], { cwd: folder }));
  assert.deepEqual(facts(first), [20, 2, 0, 3, 3]);
  assert.deepEqual(
    (await lettersIn(folder)).map(({ key, record, stage }) => [key, record, stage]),
    [
      ['a.jsonl', 15, 'read'],
      ['c.md', null, 'read'],
    ],
  );
  await writeFiles(folder, { 'docs/new.md': 'not tried yet' });
  // A run in between has no more luck, and retry takes nothing but what failed.
  await rm(join(folder, 'docs/c.md'));
  const retried = summaryOf(await runCli(['retry', ...job], { cwd: folder }));
  assert.equal(retried.exitCode, 0);
  assert.deepEqual([retried.documents, retried.objects.embedded, retried.objects.unchanged], [1, 1, 1]);
  assert.deepEqual(retried.skippedBy, { 'not tried yet': 1 });
  assert.equal(retried.objects.deleted, 1);
  assert.deepEqual(await lettersIn(folder), []);

  const after = summaryOf(await runCli(['run', ...job], { cwd: folder }));
  assert.deepEqual(facts(after), [0, 0, 2, 1, 1]);
  const texts = await textsIn(folder);
  assert.deepEqual(
    ['one', 'three', 'a good one', 'not tried yet'].filter((text) => !texts.includes(text)),
    [],
  );
  assert.equal(texts.length, 4 + retried.vectors.written);
});

test('with other chunk options retry embeds all of the object that failed, and only that', async (t) => {
  const folder = await tempFolder(t);
  const long = 'many words '.repeat(100).trim();
  await writeFiles(folder, {
    'docs/a.jsonl': `{"text":"one"}\n{"text":"${long}"}\n`,
    'docs/b.md': 'a good one',
  });
  const whole = [...job, '--chunker', 'none', '--overflow'];
  assert.deepEqual(
    facts(summaryOf(await runCli(['run', ...whole, 'fail'], { cwd: folder }))),
    [20, 1, 0, 2, 2],
  );
  const [letter] = await lettersIn(folder);
  assert.deepEqual([letter?.stage, letter?.record], ['chunk', 15]);
  assert.match(letter?.reason ?? '', /^The document has 602 tokens/);
  const retried = summaryOf(await runCli(['retry', ...whole, 'split'], { cwd: folder }));
  assert.deepEqual([retried.exitCode, retried.documents, retried.objects.unchanged], [0, 2, 1]);
  assert.deepEqual(await lettersIn(folder), []);
});

test('a text that the model fails on is one dead letter with the words of ONNX Runtime, and nothing else is missing', async (t) => {
  const folder = await tempFolder(t);
  const failing = await writeFailingModel(folder);
  const good = Array.from({ length: 20 }, (_, n) => ({
    text: `the world ${'abcdefghijklmnopqrst'[n] ?? ''}`,
  }));
  const records = good.toSpliced(13, 0, { text: 'hello world '.repeat(20).trim() });
  await writeFiles(folder, {
    'docs/a.jsonl': records.map((record) => `${JSON.stringify(record)}\n`).join(''),
  });
  const run = ['run', 'docs', '--model', failing, '--sink', 'jsonl:out', '--state', 'state', '--json'];
  assert.deepEqual(facts(summaryOf(await runCli(run, { cwd: folder }))), [20, 1, 0, 20, 20]);
  const [letter, ...others] = await lettersIn(folder);
  assert.deepEqual([letter?.stage, letter?.chunk, others.length], ['embed', 0, 0]);
  assert.match(letter?.reason ?? '', /^the model failed on chunk 0 of 1: .*ONNX|Non-zero status code/);
  assert.deepEqual(await textsIn(folder), good.map(({ text }) => text).sort());
});

test('a job that fails too often is stopped, and what it had done stays', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, {
    'docs/a.md': 'a good one',
    'docs/b.jsonl': '{"text": oops\n'.repeat(30),
    'docs/c.md': 'another',
  });
  for (const [limit, exitCode] of [
    ['29', 21],
    ['90%', 21],
    ['30', 20],
    ['95%', 20],
  ] as const) {
    await rm(join(folder, 'out'), { recursive: true, force: true });
    const run = ['run', ...job, '--max-failures', limit, '--workers', '1'];
    const ended = await runCli(run, { cwd: folder });
    const summary = summaryOf(ended);
    assert.equal(summary.exitCode, exitCode, limit);
    assert.equal(summary.status, exitCode === 20 ? 'partial' : 'failed');
    if (exitCode === 20) continue;
    assert.equal(summary.error?.code, 'SOURCE');
    assert.match(
      summary.error.message,
      /^30 of \d\d documents .*more than --max-failures .*; the first: invalid JSON/,
    );
  }
});

test('there is nothing to retry where there is no index, or no ledger', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/a.md': 'a good one' });
  const { exitCode, error } = summaryOf(await runCli(['retry', ...job], { cwd: folder }));
  assert.equal(exitCode, 2);
  assert.match(error?.message ?? '', /there is no index at jsonl:out/);

  await runCli(['run', ...job], { cwd: folder });
  const elsewhere = summaryOf(await runCli(['retry', ...job, '--state', 'other'], { cwd: folder }));
  assert.equal(elsewhere.exitCode, 2);
  assert.match(elsewhere.error?.message ?? '', /has no ledger of this source and index/);
});
