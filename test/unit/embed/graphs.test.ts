/**
 * Graphs that no real tiny model offers, made by test/data/models/make-graphs.py. Their reference vectors were
 * computed without ONNX.
 */
import assert from 'node:assert/strict';
import { cp, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Side } from '#embatch/embed/compute/encoder.js';
import type { Model } from '#embatch/embed/model/model.js';
import { loadFolder, openFolder } from '../../support/models.js';
import { testData } from '../../support/paths.js';
import { tempFolder } from '../../support/temp-folder.js';
import { assertNear } from './near.js';

interface Row {
  readonly name: string;
  readonly text: string;
  readonly input_ids: readonly number[];
  readonly embedding: readonly number[];
  readonly query_embedding?: readonly number[];
}

const fixture = (name: string): string => testData(`models/${name}`);

async function rowsOf(name: string): Promise<Row[]> {
  return JSON.parse(await readFile(join(fixture(name), 'reference.json'), 'utf8')) as Row[];
}

function encoderOf(model: Model): Model['encoder'] & { kind: 'graph' } {
  assert.equal(model.encoder.kind, 'graph');
  return model.encoder;
}

/** Ids and vectors of every row; `apart` first, each in a call of its own, then all in one. */
async function embedBoth(name: string, side: Side) {
  const { model, embedder } = await openFolder(fixture(name));
  const rows = await rowsOf(name);
  const inputs = await embedder.encode(
    rows.map(({ text }) => text),
    side,
  );
  const apart: Float32Array[] = [];
  for (const ids of inputs) apart.push(await embedder.embed([ids], side));
  const all = await embedder.embed(inputs, side);
  const together = rows.map((_, r) => all.slice(r * model.dimensions, (r + 1) * model.dimensions));
  return { model, rows, inputs, apart, together };
}

async function checkAll(name: string, side: Side = 'plain', tolerance?: number): Promise<Model> {
  const { model, rows, inputs, apart, together } = await embedBoth(name, side);
  assert.ok(rows.length > 5);
  rows.forEach((row, r) => {
    assert.deepEqual([...(inputs[r] ?? [])], row.input_ids, row.name);
    const expected = side === 'query' ? (row.query_embedding ?? []) : row.embedding;
    assertNear(apart[r] ?? [], expected, `${row.name}, alone`, tolerance);
    assertNear(together[r] ?? [], expected, `${row.name}, in a batch`, tolerance);
  });
  return model;
}

test('a decoder gets its positions, and keys and values of no earlier tokens', async () => {
  const model = await checkAll('graph-decoder');
  const { inputs, paddingSide, output } = encoderOf(model);
  assert.deepEqual({ paddingSide, output }, { paddingSide: 'right', output: 'last_hidden_state' });
  const past = { kind: 'past', type: 'float32', heads: 2, headSize: 3 } as const;
  assert.deepEqual(inputs, [
    { kind: 'ids', name: 'input_ids', type: 'int64' },
    { kind: 'mask', name: 'attention_mask', type: 'int64' },
    { kind: 'positions', name: 'position_ids', type: 'int64' },
    { ...past, name: 'past_key_values.0.key' },
    { ...past, name: 'past_key_values.0.value' },
    { ...past, name: 'past_key_values.1.key' },
    { ...past, name: 'past_key_values.1.value' },
  ]);
  assert.equal(model.maxTokens, 32, 'positions of config.json; a model_max_length of 1e30 says nothing');
});

test('heads come from the width where config.json says no more, and are refused where it says nothing', async (t) => {
  const folder = await copyOf(t, 'graph-decoder');
  const config = { model_type: 'qwen3', hidden_size: 8, max_position_embeddings: 32 };
  const write = (more: object): Promise<void> =>
    writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, ...more }));
  await write({ num_attention_heads: 2 });
  const sizes = encoderOf(await loadFolder(folder)).inputs.flatMap((input) =>
    input.kind === 'past' ? [[input.heads, input.headSize]] : [],
  );
  assert.deepEqual(sizes, [
    [2, 4],
    [2, 4],
    [2, 3],
    [2, 3],
  ]);
  await write({});
  await assert.rejects(loadFolder(folder), {
    code: 'MODEL',
    message: /past_key_values\.0\.key, .*num_key_value_heads, head_dim/,
  });
});

test('a graph that pools inside is believed where there is no modules.json', async () => {
  const model = await checkAll('graph-pooled');
  const { output, pooled, width } = encoderOf(model);
  assert.deepEqual({ output, pooled, width }, { output: 'sentence_embedding', pooled: true, width: 4 });
  assert.deepEqual(model.steps, [], 'nothing is left to do');
});

test('a modules.json is believed before a graph that pools inside', async () => {
  const model = await checkAll('graph-pooled-modules');
  const { output, pooled, width } = encoderOf(model);
  assert.deepEqual({ output, pooled, width }, { output: 'token_embeddings', pooled: false, width: 8 });
});

test('a graph that takes its last position for the last token is padded on the left', async () => {
  const model = await checkAll('graph-pooled-left');
  const { paddingSide, pooled, inputs } = encoderOf(model);
  assert.deepEqual({ paddingSide, pooled }, { paddingSide: 'left', pooled: true });
  assert.ok(inputs.some(({ kind, name }) => kind === 'no-cache' && name === 'use_cache_branch'));
  assert.deepEqual(model.steps, [{ kind: 'normalize' }], 'normalised once more, pooled no more');
});

for (const [side, column] of [
  ['plain', 'embedding'],
  ['document', 'embedding'],
  ['query', 'query_embedding'],
] as const) {
  test(`a ${side} text selects the adapter that config.json lists for it (${column})`, async () => {
    const task = encoderOf(await checkAll('graph-task', side)).inputs.find(({ kind }) => kind === 'task');
    assert.deepEqual(task, { kind: 'task', name: 'task_id', rank: 0, document: 2, query: 1 });
  });
}

test('weights beside the graph are read and hashed', async (t) => {
  const { hashes } = await checkAll('graph-external');
  const folder = await copyOf(t, 'graph-external');
  assert.deepEqual((await loadFolder(folder)).hashes, hashes);
  const data = join(folder, 'onnx/model.onnx_data');
  const bytes = await readFile(data);
  bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
  await writeFile(data, bytes);
  assert.notEqual((await loadFolder(folder)).hashes.weights, hashes.weights);
});

test("weights beside the graph are found in the hub's cache, where every file is a link", async (t) => {
  const cache = await tempFolder(t);
  const snapshot = join(cache, 'snapshots', 'main');
  await cp(fixture('graph-external'), snapshot, { recursive: true });
  await mkdir(join(cache, 'blobs'));
  for (const name of ['model.onnx', 'model.onnx_data']) {
    await rename(join(snapshot, 'onnx', name), join(cache, 'blobs', `hash of ${name}`));
    await symlink(`../../../blobs/hash of ${name}`, join(snapshot, 'onnx', name));
  }
  const { embedder } = await openFolder(snapshot);
  const [row] = await rowsOf('graph-external');
  const vector = await embedder.embed(await embedder.encode([row?.text ?? ''], 'plain'), 'plain');
  assertNear(vector, row?.embedding ?? [], 'through links');
});

for (const outside of ['../../data_file', '/tmp/onnx_data1', './../data_file1']) {
  test(`weights at ${outside}, outside of the graph's folder, are refused`, async (t) => {
    const folder = await copyOf(t, 'graph-external');
    await replaceBytes(join(folder, 'onnx/model.onnx'), 'model.onnx_data', outside);
    await assert.rejects(loadFolder(folder), {
      code: 'MODEL',
      message: `${join(folder, 'onnx/model.onnx')} keeps weights in ${outside}, which is outside of its folder.`,
    });
  });
}

test('half precision is read as what it is', async () => {
  // One step of a half at the size of these vectors.
  const model = await checkAll('graph-float16', 'plain', 2 ** -10);
  assert.equal(model.precision, 'fp16');
  assert.equal(model.batchInvariant, true);
});

test('ids, mask and token types are given as int32 where the graph takes that', async () => {
  const model = await checkAll('graph-int32');
  assert.deepEqual(
    encoderOf(model).inputs.map((input) => [input.name, 'type' in input ? input.type : '']),
    [
      ['input_ids', 'int32'],
      ['attention_mask', 'int32'],
      ['token_type_ids', 'int32'],
    ],
  );
});

test('a dynamic int8 graph is accepted, and said to depend on the batch, as it does', async () => {
  const { model, rows, apart, together } = await embedBoth('graph-dynamic-int8', 'plain');
  assert.equal(model.precision, 'int8');
  assert.equal(model.batchInvariant, false);
  assert.equal(model.notices.length, 1);
  assert.match(
    model.notices[0] ?? '',
    /model_quantized\.onnx quantises over whole batches .*--precision fp32/,
  );
  rows.forEach((row, r) => {
    assertNear(apart[r] ?? [], row.embedding, `${row.name}, alone`);
  });
  const differing = rows.filter((_, r) => apart[r]?.some((value, i) => value !== together[r]?.[i]));
  assert.ok(differing.length > 0, 'no vector depends on the batch: the fixture proves nothing');
});

async function copyOf(t: TestContext, name: string): Promise<string> {
  const folder = await tempFolder(t);
  await cp(fixture(name), folder, { recursive: true });
  return folder;
}

/** Replaces every occurrence by as many other bytes, so that the lengths in the file stay true. */
async function replaceBytes(file: string, from: string, to: string): Promise<void> {
  assert.equal(from.length, to.length);
  const content = await readFile(file, 'latin1');
  assert.ok(content.includes(from));
  await writeFile(file, content.replaceAll(from, to), 'latin1');
}
