/** The same models with their files at other places, and with other names for their modules. */
import assert from 'node:assert/strict';
import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openFolder } from '../../support/models.js';
import { testData } from '../../support/paths.js';
import { tempFolder } from '../../support/temp-folder.js';
import { assertNear } from './near.js';
import { normalize, old, pooling, tinyBert, WIDTH, withModules } from './tiny-bert.js';

const TEXTS = ['hello world', 'What makes a vector trustworthy?', 'a'];

interface Row {
  readonly text: string;
  readonly embedding: readonly number[];
}

/** The vectors of a model whose files lie elsewhere, but are the same. */
async function vectorsOf(folder: string, texts: readonly string[]): Promise<Float32Array> {
  const { embedder } = await openFolder(folder);
  return embedder.embed(await embedder.encode(texts, 'plain'), 'plain');
}

async function assertTinyBert(folder: string): Promise<void> {
  const rows = JSON.parse(await readFile(join(tinyBert, 'reference.json'), 'utf8')) as Row[];
  const vectors = await vectorsOf(
    folder,
    rows.map(({ text }) => text),
  );
  rows.forEach(({ text, embedding }, r) => {
    assertNear(vectors.slice(r * WIDTH, (r + 1) * WIDTH), embedding, text, 1e-5);
  });
}

for (const type of [
  old('Transformer'),
  'sentence_transformers.base.modules.transformer.Transformer',
  'custom_st.Transformer',
]) {
  test(`the transformer may be called ${type}`, async (t) => {
    const folder = await withModules(t, [pooling(), normalize], type);
    await assertTinyBert(folder);
    const { model } = await openFolder(folder);
    // Code of its own may do more than the class it is named after.
    assert.deepEqual(
      model.notices,
      type.startsWith('custom_st')
        ? [`modules.json names code of its own, ${type}; it is taken for a plain Transformer.`]
        : [],
    );
  });
}

const encoderFiles = ['config.json', 'sentence_bert_config.json', 'tokenizer.json', 'tokenizer_config.json'];

async function moveTo(folder: string, path: string, names: readonly string[]): Promise<void> {
  await mkdir(join(folder, path), { recursive: true });
  for (const name of names) await rename(join(folder, name), join(folder, path, name));
  const file = join(folder, 'modules.json');
  const modules = JSON.parse(await readFile(file, 'utf8')) as { path: string }[];
  await writeFile(file, JSON.stringify([{ ...modules[0], path }, ...modules.slice(1)]));
}

for (const [where, names] of [
  ['with its graph', [...encoderFiles, 'onnx']],
  ['and the graph in onnx/ of the root', encoderFiles],
] as const) {
  test(`a transformer in a folder of its own, ${where}`, async (t) => {
    const folder = await withModules(t, [pooling(), normalize]);
    await moveTo(folder, '0_Transformer', names);
    await assertTinyBert(folder);
    const { model } = await openFolder(folder);
    assert.equal(model.maxTokens, 64, 'the configuration is read where the transformer is');
  });
}

test('a graph at the root', async (t) => {
  const folder = await withModules(t, [pooling(), normalize]);
  await rename(join(folder, 'onnx/model.onnx'), join(folder, 'model.onnx'));
  await assertTinyBert(folder);
});

for (const name of ['tiny-static', 'tiny-model2vec-vq']) {
  test(`${name} in 0_StaticEmbedding/ gives the vectors that it gives at the root`, async (t) => {
    const folder = await tempFolder(t);
    await cp(testData(`models/${name}`), folder, { recursive: true });
    const config = name === 'tiny-static' ? [] : ['config.json'];
    await moveTo(folder, '0_StaticEmbedding', ['model.safetensors', 'tokenizer.json', ...config]);
    assert.deepEqual(await vectorsOf(folder, TEXTS), await vectorsOf(testData(`models/${name}`), TEXTS));
  });
}

test('model2vec without modules.json is known by its config.json', async (t) => {
  const folder = await tempFolder(t);
  await cp(testData('models/tiny-model2vec-vq'), folder, { recursive: true });
  const expected = await vectorsOf(folder, TEXTS);
  await rm(join(folder, 'modules.json'));
  assert.deepEqual(await vectorsOf(folder, TEXTS), expected);
});
