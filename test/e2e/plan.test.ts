/** `embatch plan` says what a run will find, and writes nothing. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { PlanReport } from '#embatch/job/plan/report.js';
import { testData } from '../support/paths.js';
import { randomNumbers } from '../support/random.js';
import { runCli, summaryOf } from '../support/run-cli.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';

const MODEL = testData('models/tiny-bert');

const words = 'tea moon lathe glacier bee harbour winter copper signal orchard paper river'.split(' ');

/** Documents of very different size and kind, some of which no run would read. */
function corpus(seed: number, documents: number): Record<string, string> {
  const random = randomNumbers(seed);
  const text = (length: number): string =>
    Array.from({ length }, () => words[Math.floor(random() * words.length)]).join(' ');
  const files: Record<string, string> = { 'empty.txt': '', 'picture.png': 'x' };
  for (let n = 0; n < documents; n++) {
    const length = Math.ceil(5 * 60 ** random());
    if (n % 9 === 0)
      files[`html/${n}.html`] = `<html><body><h1>${text(3)}</h1><p>${text(length)}</p></body></html>`;
    else if (n % 11 === 0) {
      files[`records/${n}.jsonl`] = Array.from({ length: 1 + (length % 30) }, () =>
        JSON.stringify({ text: text(12) }),
      ).join('\n');
    } else files[`text/${n}.md`] = `# ${text(2)}\n\n${text(length)}.\n`;
  }
  return files;
}

async function everythingBelow(folder: string): Promise<Record<string, string>> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const folders = names
    .filter((entry) => entry.isDirectory())
    .map(({ parentPath, name }) => [join(parentPath, name), 'folder']);
  const contents = await Promise.all(files.map(async (file) => [file, await readFile(file, 'base64')]));
  return Object.fromEntries([...folders, ...contents]) as Record<string, string>;
}

const flags = ['--model', MODEL, '--sink', 'jsonl:./index', '--json'];

async function planned(cwd: string, ...more: readonly string[]): Promise<PlanReport> {
  const { code, stdout, stderr } = await runCli(['plan', './docs', ...flags, ...more], { cwd });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as PlanReport;
}

test('a plan holds what the run then reports, exactly where all is sampled, and nothing is written', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(join(folder, 'docs'), corpus(1, 240));
  const before = await everythingBelow(folder);
  const whole = await planned(folder, '--sample', '1000', '--price', '2', '--shards', '3');
  const sampled: PlanReport[] = [];
  for (const seed of ['1', '2', '3']) sampled.push(await planned(folder, '--sample', '40', '--seed', seed));
  assert.deepEqual(await everythingBelow(folder), before, 'a plan leaves everything as it was');

  const run = summaryOf(await runCli(['run', './docs', ...flags], { cwd: folder }));
  assert.equal(run.status, 'complete');
  // Each range may miss once in twenty times.
  let held = 0;
  for (const measure of ['documents', 'chunks', 'tokens'] as const) {
    const exact = run[measure];
    const { value, low, high } = whole.estimate[measure];
    assert.deepEqual([value, low, high], [exact, exact, exact], measure);
    for (const [i, { estimate, sample }] of sampled.entries()) {
      const range = estimate[measure];
      assert.ok(sample.objects < 100, 'it is a sample');
      if (range.low <= exact && exact <= range.high) held += 1;
      assert.ok(
        Math.abs(range.value - exact) < exact / 20,
        `seed ${i + 1}: ${measure} ${range.value} for ${exact}`,
      );
      assert.ok(range.high - range.low < exact, `seed ${i + 1}: a range that says something`);
    }
  }
  assert.ok(held >= 8, `${held} of 9 ranges hold the truth`);
  assert.deepEqual(
    [whole.objects.listed, whole.objects.toEmbed, whole.objects.skipped],
    [run.objects.listed, run.objects.embedded, run.objects.skipped],
  );
  assert.deepEqual(whole.skippedBy, run.skippedBy);
  assert.deepEqual(
    whole.shards.map(({ shards }) => shards),
    [1, 2, 3, 4, 8, 16, 32, 64],
  );
  const hoursOf = (count: number): number =>
    whole.shards.find(({ shards }) => shards === count)?.hours?.value ?? NaN;
  assert.equal(whole.shards.find(({ shards }) => shards === 1)?.price, hoursOf(1) * 2);
  assert.ok(hoursOf(3) < hoursOf(1), 'three shards are faster than one');
  assert.ok((whole.rate?.tokensPerSecond ?? 0) > 0);
  assert.equal(whole.index.vectors, run.vectors.written);

  await t.test('after the run, only what changed is planned', async () => {
    await writeFile(
      join(folder, 'docs', 'text', '1.md'),
      'Something else entirely, of a few more words than before.',
    );
    await writeFile(join(folder, 'docs', 'new.txt'), 'A new one.');
    const { objects, estimate } = await planned(folder);
    assert.deepEqual([objects.unchanged, objects.toEmbed], [run.objects.embedded - 1, 2]);
    assert.equal(estimate.documents.value, 2);
    const next = summaryOf(await runCli(['run', './docs', ...flags], { cwd: folder }));
    assert.deepEqual([next.documents, next.tokens], [estimate.documents.value, estimate.tokens.value]);
  });

  await t.test('a plan for people has every part', async () => {
    const { code, stdout } = await runCli(
      ['plan', './docs', ...flags.filter((flag) => flag !== '--json'), '--recreate'],
      { cwd: folder },
    );
    assert.equal(code, 2, 'plan does not know --recreate');
    assert.equal(stdout, '');
    const plain = await runCli(
      ['plan', './docs', '--model', MODEL, '--sink', 'jsonl:./other', '--price', '1'],
      { cwd: folder },
    );
    assert.equal(plain.code, 0, plain.stderr);
    for (const part of [
      /^Plan of /,
      /objects +\d+ listed/,
      /tokens +(?:about )?\d/,
      /rate +[\d,]+ tokens\/s/,
      /shards +time/,
      /c7i\.4xlarge/,
    ]) {
      assert.match(plain.stdout, part);
    }
  });
});

test('what will hurt is warned of', async (t) => {
  const folder = await tempFolder(t);
  await mkdir(join(folder, 'docs'));
  await writeFiles(join(folder, 'docs'), {
    'large.csv': `text\n${'some words of a long table\n'.repeat(4000)}`,
    'small.txt': 'A few words.',
    'huge.txt': 'x '.repeat(5000),
    'broken.txt.gz': 'no gzip',
  });
  const { warnings } = await planned(folder, '--shards', '16', '--max-document-bytes', '8KiB');
  const text = warnings.join('\n');
  assert.match(text, /more shards \(16\) than objects/);
  assert.match(text, /large\.csv has .*: more than 1 shard end no earlier\. Only JSONL/);
  assert.match(text, /1 document of more than 8\.2 KB would become dead letters/);
  assert.match(text, /of the sample would become dead letters; the first: /);
});

for (const [described, args, code, message] of [
  ['no source', ['plan'], 2, /there is nothing to read/],
  ['a folder that is not there', ['plan', './nowhere'], 21, /nowhere/],
  ['no shards', ['plan', './docs', '--shards', '0'], 2, /--shards must be a whole number from 1/],
  ['a price below 0', ['plan', './docs', '--price', '-1'], 2, /--price/],
  ['no sample', ['plan', './docs', '--sample', '0'], 2, /--sample must be/],
] as const) {
  test(`${described} is told before anything is done`, async (t) => {
    const folder = await tempFolder(t);
    await writeFiles(folder, { 'docs/a.txt': 'a' });
    const ended = await runCli([...args, '--json', '--model', MODEL], { cwd: folder });
    assert.equal(ended.code, code, ended.stderr);
    assert.match(ended.stderr, message);
    assert.equal((JSON.parse(ended.stdout) as { exitCode: number }).exitCode, code);
  });
}

test('an empty folder is told', async (t) => {
  const folder = await tempFolder(t);
  await mkdir(join(folder, 'docs'));
  const { warnings, estimate } = await planned(folder);
  assert.match(warnings.join(), /docs has no keys, or the filters leave none/);
  assert.equal(estimate.tokens.value, 0);
});
