/** `embatch models`, and runs with models of other kinds than the bundled one. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Row } from '#embatch/core/interfaces.js';
import type { ModelCheck } from '#embatch/job/check-model.js';
import type { ModelInspection } from '#embatch/job/inspect-model.js';
import type { RunSummary } from '#embatch/job/summary.js';
import { filesOf, startHub } from '../support/hub-server.js';
import { testData } from '../support/paths.js';
import { runCli } from '../support/run-cli.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';

const tiny = (name: string): string => testData(`models/${name}`);

async function copyOf(name: string, t: TestContext): Promise<string> {
  const folder = join(await tempFolder(t), name);
  await cp(tiny(name), folder, { recursive: true });
  return folder;
}

interface ReferenceRow {
  readonly name: string;
  readonly text: string;
  embedding: number[];
  readonly with_prompt?: Readonly<Record<string, { readonly embedding: number[] }>>;
}

async function references(folder: string): Promise<ReferenceRow[]> {
  return JSON.parse(await readFile(join(folder, 'reference.json'), 'utf8')) as ReferenceRow[];
}

test('models list names the bundled model and its folder', async () => {
  const { code, stdout } = await runCli(['models', 'list', '--json']);
  assert.equal(code, 0);
  const { models } = JSON.parse(stdout) as { models: { ref: string; folder: string; bytes: number }[] };
  const [bundled] = models;
  assert.equal(bundled?.ref, 'all-MiniLM-L6-v2');
  assert.ok(existsSync(join(bundled.folder, 'config.json')));
  assert.ok(bundled.bytes > 20_000_000);
});

test('models inspect gives every value of the recipe with its origin, and the fingerprint of a run', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/a.md': 'A text of some words.' });
  const model = tiny('tiny-xlmr-unigram');
  const inspected = await runCli(['models', 'inspect', model, '--json']);
  assert.equal(inspected.code, 0, inspected.stderr);
  const inspection = JSON.parse(inspected.stdout) as ModelInspection;
  for (const { name, origin } of [...inspection.space, ...inspection.text]) assert.ok(origin !== '', name);
  const values = Object.fromEntries(inspection.space.map(({ name, value }) => [name, value]));
  assert.equal(values['documentPrompt'], 'passage: ');
  assert.equal(values['queryPrompt'], 'query: ');
  assert.equal(values['maxTokens'], 64);
  const run = await runCli(['run', 'docs', '--model', model, '--sink', 'jsonl:out', '--json'], {
    cwd: folder,
  });
  assert.equal(run.code, 0, run.stderr);
  assert.equal((JSON.parse(run.stdout) as RunSummary).fingerprint, inspection.fingerprint);
  const text = await runCli(['models', 'inspect', model]);
  assert.match(text.stdout, new RegExp(`fingerprint ${inspection.fingerprint}`));
});

test('models check passes with the reference and ends with 22 where one vector or one token differs', async (t) => {
  const folder = await copyOf('tiny-bert', t);
  const reference = join(folder, 'reference.json');
  const good = await runCli(['models', 'check', folder, '--reference', reference, '--json']);
  assert.equal(good.code, 0, good.stderr);
  const check = JSON.parse(good.stdout) as ModelCheck;
  assert.equal(check.failed, 0);
  assert.ok(check.texts.length >= 15 && check.minCosine >= 0.99999 && check.maxBatchDifference === 0);

  const rows = await references(folder);
  const [first] = rows;
  assert.ok(first !== undefined);
  const [x = 0, y = 0, ...rest] = first.embedding;
  // Turned by a tenth, so that it keeps its length.
  first.embedding = [x * Math.cos(0.1) - y * Math.sin(0.1), x * Math.sin(0.1) + y * Math.cos(0.1), ...rest];
  await writeFile(reference, rows.map((row) => JSON.stringify(row)).join('\n'));
  const bad = await runCli(['models', 'check', folder, '--reference', reference]);
  assert.equal(bad.code, 22);
  assert.match(bad.stdout, /does not make the vectors of the reference: 1 of \d+ texts differ/);
  assert.match(bad.stdout, /hello: cosine 0\.99/);
  const lenient = await runCli(['models', 'check', folder, '--reference', reference, '--min-cosine', '0.99']);
  assert.equal(lenient.code, 0, lenient.stdout);

  await writeFile(reference, JSON.stringify(rows.map((row) => ({ ...row, input_ids: [1, 2, 3] }))));
  const tokens = await runCli(['models', 'check', folder, '--reference', reference]);
  assert.equal(tokens.code, 22);
  assert.match(tokens.stdout, /its tokens are others/);
});

for (const [what, args, code, message] of [
  ['a model without a reference', ['check', tiny('tiny-bert')], 2, /has no reference\.jsonl of its own/],
  [
    'a reference that is not there',
    ['check', '--reference', '/nowhere.json'],
    2,
    /nowhere\.json cannot be read/,
  ],
  ['a model that is not there', ['inspect', './no-such-model'], 22, /there is no model \.\/no-such-model/],
  ['two models', ['inspect', 'a', '--model', 'b'], 2, /two models are named/],
  ['no action', [], 2, /name a command: models list, pull, inspect, check/],
  ['an unknown action', ['remove'], 2, /unknown command 'remove'/],
  ['a width that is too large', ['inspect', '--dimensions', '385'], 2, /more than the 384/],
  ['a width it was not trained for', ['inspect', '--dimensions', '64'], 2, /--force-dimensions/],
  ['more tokens than positions', ['inspect', '--max-tokens', '513'], 2, /more than the 512 positions/],
  ['a precision it does not have', ['inspect', '--precision', 'fp32'], 22, /no ONNX file of precision fp32/],
] as const) {
  test(`models: ${what} is an error that says so, with exit code ${code}`, async () => {
    const ended = await runCli(['models', ...args]);
    assert.equal(ended.code, code, ended.stderr);
    assert.match(ended.stderr, message);
    assert.equal(ended.stdout, '');
  });
}

test('nothing is kept or reported of a user by the library that runs the model', async (t) => {
  const home = await tempFolder(t);
  const { code, stderr } = await runCli(['models', 'check'], { env: { HOME: home } });
  assert.equal(code, 0, stderr);
  assert.deepEqual(await readdir(home), []);
});

test('a run checks five texts of the model before it writes anything', async (t) => {
  const folder = await copyOf('tiny-bert', t);
  const rows = await references(folder);
  const [, second] = rows;
  assert.ok(second !== undefined);
  second.embedding = second.embedding.toReversed();
  await writeFile(join(folder, 'reference.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
  await writeFiles(folder, { 'docs/a.md': 'A text.' });
  const run = ['run', 'docs', '--model', folder, '--sink', 'jsonl:out', '--json'];
  const refused = await runCli(run, { cwd: folder });
  assert.equal(refused.code, 22, refused.stderr);
  assert.match(refused.stderr, /does not make the vectors that its own .*reference\.jsonl promises: empty/);
  assert.ok(!existsSync(join(folder, 'out')), 'nothing was written');

  await rm(join(folder, 'reference.jsonl'));
  await writeFile(
    join(folder, 'reference.jsonl'),
    (await references(folder)).map((row) => JSON.stringify(row)).join('\n'),
  );
  const accepted = await runCli(run, { cwd: folder });
  assert.equal(accepted.code, 0, accepted.stderr);
});

/** All rows of a JSONL sink. */
async function written(folder: string): Promise<Row[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.jsonl'));
  const contents = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return contents.flatMap((content) =>
    content
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Row),
  );
}

const cosine = (a: Iterable<number>, b: readonly number[]): number =>
  [...a].reduce((sum, value, i) => sum + value * (b[i] ?? Number.NaN), 0);

for (const [name, prompt] of [
  ['tiny-xlmr-unigram', 'passage'],
  ['tiny-roberta-bpe', undefined],
  ['tiny-qwen3-lasttoken', undefined],
  ['tiny-static', undefined],
  ['tiny-model2vec-vq', undefined],
] as const) {
  for (const tokenizer of ['native', 'javascript'] as const) {
    test(`a run with ${name} and ${tokenizer} tokenizers writes the vectors of its reference`, async (t) => {
      const folder = await tempFolder(t);
      const row = (await references(tiny(name))).find((reference) => reference.name === 'sentence');
      assert.ok(row !== undefined);
      await writeFiles(folder, { 'docs/a.txt': row.text });
      const args = ['run', 'docs', '--model', tiny(name), '--sink', 'jsonl:out', '--tokenizer', tokenizer];
      const run = await runCli([...args, '--chunker', 'none'], { cwd: folder });
      assert.equal(run.code, 0, run.stderr);
      const [only, ...others] = await written(join(folder, 'out'));
      assert.ok(only !== undefined && others.length === 0);
      const expected = prompt === undefined ? row.embedding : (row.with_prompt?.[prompt]?.embedding ?? []);
      assert.ok(cosine(Object.values(only.vector), expected) > 0.9999, JSON.stringify(only.vector));
    });
  }
}

test('a search embeds a question as the index was built: its width, prompts and graph', async (t) => {
  const folder = await tempFolder(t);
  const model = join(folder, 'model');
  await cp(tiny('tiny-xlmr-unigram'), model, { recursive: true });
  await writeFiles(folder, { 'docs/a.txt': 'one text about water', 'docs/b.txt': 'zzz 999 !!!' });
  const built = ['--dimensions', '8', '--force-dimensions', '--query-prompt', '', '--document-prompt', ''];
  const run = await runCli(['run', 'docs', '--model', model, ...built], { cwd: folder });
  assert.equal(run.code, 0, run.stderr);
  // A better graph that comes later changes nothing for this index.
  await rename(join(model, 'onnx/model.onnx'), join(model, 'onnx/model_fp32.onnx'));
  const renamed = await runCli(['search', 'one text about water', '--model', model], { cwd: folder });
  assert.equal(renamed.code, 22);
  assert.match(
    renamed.stderr,
    /the index was built with the graph model\.onnx, which the model does not have/,
  );
  await cp(join(model, 'onnx/model_fp32.onnx'), join(model, 'onnx/model.onnx'));
  const search = ['search', 'one text about water', '--model', model, '--json', '--k', '1'];
  const answer = await runCli(search, { cwd: folder });
  assert.equal(answer.code, 0, answer.stderr);
  const { hits } = JSON.parse(answer.stdout) as { hits: { score: number; source: string }[] };
  assert.ok((hits[0]?.score ?? 0) > 0.9999, 'without prompts question and document are the same text');
  assert.match(hits[0]?.source ?? '', /a\.txt$/);

  const other = await runCli(['run', 'docs', '--model', model], { cwd: folder });
  assert.equal(other.code, 2, 'another width and other prompts are another space');
  assert.match(other.stderr, /dimensions/);
});

test('a model of the hub is pulled once, pinned by its commit, and a search finds it again by the index', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/a.txt': 'one text about water' });
  const hub = await startHub(t);
  const commit = 'a'.repeat(40);
  hub.models['org/tiny'] = {
    refs: { main: commit },
    commits: { [commit]: await filesOf(tiny('tiny-bert')) },
  };
  const env = { HF_ENDPOINT: hub.url, HF_HOME: join(folder, 'hub'), XDG_CACHE_HOME: join(folder, 'cache') };
  const pulled = await runCli(['models', 'pull', 'hf:org/tiny', '--json'], { cwd: folder, env });
  assert.equal(pulled.code, 0, pulled.stderr);
  const { id, revision, bytesFetched } = JSON.parse(pulled.stdout) as Record<string, unknown>;
  assert.deepEqual([id, revision], ['org/tiny', commit]);
  assert.ok(Number(bytesFetched) > 100_000);
  const listed = await runCli(['models', 'list'], { cwd: folder, env });
  assert.match(listed.stdout, /^hf:org\/tiny .*hub/m);

  const asked = hub.requests.length;
  const run = await runCli(['run', 'docs', '--model', 'hf:org/tiny', '--json'], { cwd: folder, env });
  assert.equal(run.code, 0, run.stderr);
  const offline = { ...env, HF_HUB_OFFLINE: '1' };
  const answer = await runCli(['search', 'one text about water', '--json'], { cwd: folder, env: offline });
  assert.equal(answer.code, 0, answer.stderr);
  const { hits, model } = JSON.parse(answer.stdout) as { hits: { score: number }[]; model: string };
  assert.equal(model, 'org/tiny');
  assert.ok((hits[0]?.score ?? 0) > 0.9999);
  assert.equal(hub.requests.length, asked, 'what is here needs no network');

  const missing = await runCli(['models', 'pull', 'hf:org/none'], { cwd: folder, env });
  assert.equal(missing.code, 22);
  assert.match(missing.stderr, /org\/none/);
});

for (const flags of [
  ['--max-tokens', '128'],
  ['--max-tokens', '300'],
  ['--dimensions', '64', '--force-dimensions'],
]) {
  test(`the bundled model passes its own check with ${flags.join(' ')}`, async (t) => {
    const folder = await tempFolder(t);
    await writeFiles(folder, { 'docs/a.txt': 'one text about water' });
    const run = await runCli(['run', 'docs', '--chunk-tokens', '100', ...flags], { cwd: folder });
    assert.equal(run.code, 0, run.stderr);
  });
}

test('a search in an index of a model folder asks for the folder', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/a.txt': 'one text about water' });
  await runCli(['run', 'docs', '--model', tiny('tiny-bert')], { cwd: folder });
  const asked = await runCli(['search', 'water'], { cwd: folder });
  assert.equal(asked.code, 2);
  assert.match(asked.stderr, /was built with the model tiny-bert, .*name it with --model/);
});

test('without --precision a run goes on with the graph that the index was built with', async (t) => {
  const folder = await tempFolder(t);
  const model = join(folder, 'model');
  await cp(tiny('tiny-bert'), model, { recursive: true });
  await rename(join(model, 'onnx/model.onnx'), join(model, 'onnx/model_O2.onnx'));
  await writeFiles(folder, { 'docs/a.txt': 'one text about water' });
  const run = ['run', 'docs', '--model', model, '--log-format', 'text'];
  const first = await runCli(run, { cwd: folder });
  assert.equal(first.code, 0, first.stderr);
  await cp(join(model, 'onnx/model_O2.onnx'), join(model, 'onnx/model.onnx'));
  const again = await runCli(run, { cwd: folder });
  assert.equal(again.code, 0, again.stderr);
  assert.match(again.stderr, /model_O2\.onnx \(the index was built with it\)/);
  const asked = await runCli([...run, '--precision', 'fp32'], { cwd: folder });
  assert.equal(asked.code, 2, 'asked for by name it is another graph, thus another space');
});

test('a text without a token that a static model knows is a dead letter, and the others are written', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/a.txt': 'some words', 'docs/b.txt': '今天' });
  const args = ['run', 'docs', '--model', tiny('tiny-model2vec'), '--sink', 'jsonl:out', '--json'];
  const run = await runCli(args, { cwd: folder });
  const summary = JSON.parse(run.stdout) as RunSummary;
  assert.deepEqual([run.code, summary.objects.embedded, summary.objects.failed], [20, 1, 1]);
});
