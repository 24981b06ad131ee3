import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { loadModel } from '#embatch/embed/model/load-model.js';
import { recipeSpace } from '#embatch/embed/model/recipe-space.js';
import { filesOf } from '../../../support/hub-server.js';
import { testData } from '../../../support/paths.js';
import { sharedFolder } from '../../../support/shared.js';
import { tempFolder } from '../../../support/temp-folder.js';
import { createTestStore, ID, MAIN, tinyBert, type TestStore } from './support.js';

const REF = `hf:${ID}`;
type Files = Record<string, Buffer | string>;

async function storeOf(t: TestContext, files: Files): Promise<TestStore> {
  const store = await createTestStore(t);
  store.hub.models[ID] = { refs: { main: MAIN }, commits: { [MAIN]: files } };
  return store;
}

const modules = (...entries: readonly (readonly [path: string, type: string])[]): string =>
  JSON.stringify(
    entries.map(([path, type], idx) => ({ idx, path, type: `sentence_transformers.models.${type}` })),
  );

async function pulled(store: TestStore): Promise<string[]> {
  return (await store.pull(REF)).files.map(({ path }) => path).sort();
}

const graph = async (): Promise<Buffer> => await readFile(testData('models/tiny-bert/onnx/model.onnx'));
const table = Buffer.alloc(100, 7);

const kinds: readonly {
  readonly name: string;
  readonly files: () => Promise<Files>;
  readonly wanted: string[];
}[] = [
  {
    name: 'a static model needs its table and no graph, even where there is one',
    files: async () => ({
      'modules.json': modules(['.', 'StaticEmbedding'], ['1_Normalize', 'Normalize']),
      'tokenizer.json': '{}',
      'model.safetensors': table,
      'onnx/model.onnx': await graph(),
    }),
    wanted: ['model.safetensors', 'modules.json', 'tokenizer.json'],
  },
  {
    name: 'a static model in a folder of its own',
    files: async () => ({
      'modules.json': modules(['0_StaticEmbedding', 'StaticEmbedding']),
      '0_StaticEmbedding/tokenizer.json': '{}',
      '0_StaticEmbedding/model.safetensors': table,
      'model.safetensors': table,
    }),
    wanted: ['0_StaticEmbedding/model.safetensors', '0_StaticEmbedding/tokenizer.json', 'modules.json'],
  },
  {
    name: 'a model of model2vec without modules.json',
    files: async () => ({
      'config.json': '{"normalize":true,"embedding_dtype":"float16"}',
      'tokenizer.json': '{}',
      'model.safetensors': table,
    }),
    wanted: ['config.json', 'model.safetensors', 'tokenizer.json'],
  },
  {
    name: 'dense layers bring their weights, the network does not',
    files: async () => ({
      'modules.json': modules(['', 'Transformer'], ['1_Pooling', 'Pooling'], ['2_Dense/', 'Dense']),
      'config.json': '{"model_type":"bert"}',
      'tokenizer.json': '{}',
      'model.safetensors': table,
      '1_Pooling/config.json': '{}',
      '2_Dense/config.json': '{}',
      '2_Dense/model.safetensors': table,
      '2_Dense/pytorch_model.bin': table,
      '3_Other/config.json': '{}',
      'model.onnx': await graph(),
    }),
    wanted: [
      '1_Pooling/config.json',
      '2_Dense/config.json',
      '2_Dense/model.safetensors',
      'config.json',
      'model.onnx',
      'modules.json',
      'tokenizer.json',
    ],
  },
  {
    name: 'a network in a folder of its own',
    files: async () => ({
      'modules.json': modules(['0_Transformer', 'Transformer'], ['1_Pooling', 'Pooling']),
      '0_Transformer/config.json': '{}',
      '0_Transformer/tokenizer.json': '{}',
      '0_Transformer/model.safetensors': table,
      '0_Transformer/onnx/model.onnx': await graph(),
      '0_Transformer/onnx/vision_model.onnx': await graph(),
      '1_Pooling/config.json': '{}',
      'model.safetensors': table,
    }),
    wanted: [
      '0_Transformer/config.json',
      '0_Transformer/onnx/model.onnx',
      '0_Transformer/tokenizer.json',
      '1_Pooling/config.json',
      'modules.json',
    ],
  },
  {
    name: 'the half for texts of a model for texts and images',
    files: async () => ({
      'config.json': '{"model_type":"clip"}',
      'tokenizer.json': '{}',
      'model.safetensors': table,
      'onnx/text_model.onnx': await graph(),
      'onnx/vision_model.onnx': await graph(),
    }),
    wanted: ['config.json', 'onnx/text_model.onnx', 'tokenizer.json'],
  },
  {
    name: 'vocabularies, licence and reference come along, lists of weights and huge vocabularies do not',
    files: async () => ({
      'config.json': '{"model_type":"bert"}',
      'tokenizer.json': '{}',
      'vocab.txt': 'a',
      'merges.txt': 'a',
      'sentencepiece.bpe.model': 'a',
      'huge.model': Buffer.alloc(64_000_001),
      'reference.jsonl': '{}',
      LICENSE: 'a',
      'LICENSE.md': 'a',
      'model.safetensors.index.json': '{}',
      'train.py': '',
      'onnx/config.json': '{}',
      'onnx/model.onnx': await graph(),
      'other/model.onnx': await graph(),
    }),
    wanted: [
      'LICENSE',
      'LICENSE.md',
      'config.json',
      'merges.txt',
      'onnx/model.onnx',
      'reference.jsonl',
      'sentencepiece.bpe.model',
      'tokenizer.json',
      'vocab.txt',
    ],
  },
];

for (const { name, files, wanted } of kinds) {
  test(name, async (t) => {
    assert.deepEqual(await pulled(await storeOf(t, await files())), wanted);
  });
}

test('a network without a graph is refused before its weights are fetched', async (t) => {
  for (const files of [
    { 'modules.json': modules(['', 'Transformer']), 'model.safetensors': table },
    { 'config.json': '{"model_type":"bert"}', 'model.safetensors': table },
    { 'config.json': '{}', 'model.safetensors': table },
  ] satisfies Files[]) {
    const store = await storeOf(t, files);
    await assert.rejects(store.pull(REF), {
      code: 'MODEL',
      message: /^hf:acme\/tiny-bert .*has no ONNX file.*Export one/,
    });
    assert.ok(store.hub.requests.every(({ host }) => host === 'hub'));
  }
});

test('a precision that the model does not have is refused, naming what there is', async (t) => {
  const store = await createTestStore(t);
  await assert.rejects(store.pull(REF, { precision: 'q4' }), {
    code: 'MODEL',
    message: /precision q4; it has model\.onnx, model_quantized\.onnx/,
  });
});

/** The tiny model's graph with its weights in a file beside it, written by ONNX Runtime. */
async function withExternalData(t: TestContext, dataName: string): Promise<{ graph: Buffer; data: Buffer }> {
  const folder = await tempFolder(t);
  const session = await InferenceSession.create(testData('models/tiny-bert/onnx/model.onnx'), {
    graphOptimizationLevel: 'basic',
    optimizedModelFilePath: join(folder, 'model.onnx'),
    logSeverityLevel: 3,
    extra: {
      session: {
        optimized_model_external_initializers_file_name: dataName,
        optimized_model_external_initializers_min_size_in_bytes: '64',
      },
    },
  });
  await session.release();
  return { graph: await readFile(join(folder, 'model.onnx')), data: await readFile(join(folder, dataName)) };
}

async function firstHidden(file: string): Promise<number[]> {
  const session = await InferenceSession.create(file, { logSeverityLevel: 3 });
  const ids = BigInt64Array.from([2n, 50n, 442n, 3n]);
  const feeds = {
    input_ids: new Tensor('int64', ids, [1, 4]),
    attention_mask: new Tensor(
      'int64',
      ids.map(() => 1n),
      [1, 4],
    ),
    token_type_ids: new Tensor(
      'int64',
      ids.map(() => 0n),
      [1, 4],
    ),
  };
  const wanted = Object.fromEntries(
    Object.entries(feeds).filter(([name]) => session.inputNames.includes(name)),
  );
  const [output = ''] = session.outputNames;
  const tensor = (await session.run(wanted))[output];
  await session.release();
  return Array.from(tensor?.data as Float32Array);
}

test('weights beside the graph are found by the names in it, and run from the cache', async (t) => {
  const external = await withExternalData(t, 'weights of its own');
  const store = await storeOf(t, {
    ...(await tinyBert()),
    'onnx/model.onnx': external.graph,
    'onnx/weights of its own': external.data,
    'onnx/model.onnx_data': 'not what the graph names',
  });
  const { folder, files } = await store.pull(REF);
  assert.ok(files.some(({ path }) => path === 'onnx/weights of its own'));
  assert.ok(!files.some(({ path }) => path === 'onnx/model.onnx_data'));
  // The cache keeps contents elsewhere, under other names: ONNX Runtime must follow the links.
  const file = join(folder, 'onnx/model.onnx');
  assert.notEqual(await realpath(file), file);
  const expected = await firstHidden(testData('models/tiny-bert/onnx/model.onnx'));
  const actual = await firstHidden(file);
  assert.ok(expected.length > 0 && expected.length === actual.length);
  assert.ok(expected.every((value, index) => Math.abs(value - (actual[index] ?? NaN)) < 1e-5));

  store.hub.requests.length = 0;
  assert.equal((await store.open(REF)).folder, folder);
  assert.deepEqual(store.hub.requests, []);
});

test('a graph whose weights the model does not have is refused by name', async (t) => {
  const external = await withExternalData(t, 'gone.bin');
  const store = await storeOf(t, { ...(await tinyBert()), 'onnx/model.onnx': external.graph });
  await assert.rejects(store.pull(REF), {
    code: 'MODEL',
    message: /^hf:acme.*keeps weights in a file "gone\.bin"/,
  });
});

test('a file that is no graph is refused by name', async (t) => {
  const store = await storeOf(t, { ...(await tinyBert()), 'onnx/model.onnx': 'version https://git-lfs' });
  await assert.rejects(store.pull(REF), {
    code: 'MODEL',
    message: /^hf:acme.*model\.onnx is not an ONNX graph/,
  });
});

const shared = sharedFolder();
const families = [testData('models'), ...(shared === undefined ? [] : [join(shared, 'models')])].flatMap(
  (folder) => readdirSync(folder).map((name) => ({ name, folder: join(folder, name) })),
);

for (const { name, folder } of families.filter((family) =>
  existsSync(join(family.folder, 'tokenizer.json')),
)) {
  test(`${name} loads from the cache as from its own folder: ${folder.includes('shared') ? 'shared' : 'ours'}`, async (t) => {
    const store = await storeOf(t, await filesOf(folder));
    const location = await store.pull(REF);
    const options = { precision: 'auto' } as const;
    const original = await loadModel({ id: ID, revision: MAIN, folder }, options);
    const fetched = await loadModel(location, options);
    assert.deepEqual(fetched.hashes, original.hashes);
    assert.deepEqual(recipeSpace(fetched), recipeSpace(original));
    assert.equal(recipeSpace(fetched)['revision'], MAIN);
    assert.equal(fetched.reference === undefined, original.reference === undefined);
  });
}
