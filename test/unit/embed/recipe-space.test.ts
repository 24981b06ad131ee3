/** Fingerprints are equal where vectors are, on every machine, and differ where a vector might. */
import assert from 'node:assert/strict';
import { cp, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fingerprint } from '#embatch/core/recipe.js';
import { loadModel } from '#embatch/embed/model/load-model.js';
import type { ModelOptions } from '#embatch/embed/model/model.js';
import { optionsOfSpace, recipeSpace } from '#embatch/embed/model/recipe-space.js';
import { testData } from '../../support/paths.js';
import { tempFolder } from '../../support/temp-folder.js';

type Options = Partial<ModelOptions>;

async function spaceOf(folder: string, id: string, options: Options = {}) {
  return recipeSpace(await loadModel({ id, revision: null, folder }, { precision: 'auto', ...options }));
}

/** The space half alone. */
async function fingerprintOf(folder: string, id: string, options?: Options): Promise<string> {
  const whole = fingerprint({ space: await spaceOf(folder, id, options), text: {} });
  return whole.split('-')[0] ?? '';
}

// A change here makes every index that exists one of another space: raise it only where vectors differ.
for (const [model, expected] of [
  ['tiny-bert', '01647452180e06e2'],
  ['tiny-xlmr-unigram', 'ca7727b7d532b1ab'],
  ['tiny-qwen3-lasttoken', '7ac1c5c90782a0d0'],
  ['tiny-model2vec-vq', 'fa89342d276aebb2'],
  ['graph-task', 'e25ecbe6012c4d1b'],
] as const) {
  test(`the fingerprint of ${model} is the same on every machine and in any folder`, async (t) => {
    assert.equal(await fingerprintOf(testData(`models/${model}`), model), expected);
    const folder = join(await tempFolder(t), 'called otherwise');
    await cp(testData(`models/${model}`), folder, { recursive: true });
    await writeFile(join(folder, 'README.md'), 'Nothing that decides a vector.');
    assert.equal(await fingerprintOf(folder, model), expected);
  });
}

async function flipByte(file: string): Promise<void> {
  const bytes = await readFile(file);
  // Within the weights, so that the graph is still one.
  const at = Math.floor(bytes.length / 2);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  await writeFile(file, bytes);
}

async function rewrite(file: string, change: (text: string) => string): Promise<void> {
  const text = await readFile(file, 'utf8');
  assert.notEqual(change(text), text);
  await writeFile(file, change(text));
}

interface Change {
  readonly change?: (folder: string) => Promise<void>;
  readonly options?: Options;
  readonly id?: string;
  readonly revision?: string;
}

const changes: Readonly<Record<string, Change>> = {
  'a byte of the weights': { change: (folder) => flipByte(join(folder, 'onnx/model.onnx')) },
  'the tokenizer': { change: (folder) => rewrite(join(folder, 'tokenizer.json'), (text) => `${text} `) },
  ...Object.fromEntries(
    [
      'config.json',
      'tokenizer_config.json',
      'sentence_bert_config.json',
      '1_Pooling/config.json',
      'modules.json',
    ].map((name) => [
      name,
      { change: (folder: string) => rewrite(join(folder, name), (text) => `${text} `) },
    ]),
  ),
  'special_tokens_map.json, which was not there': {
    change: (folder) => writeFile(join(folder, 'special_tokens_map.json'), '{}'),
  },
  'a saved prompt': {
    change: (folder) =>
      rewrite(join(folder, 'config_sentence_transformers.json'), (text) =>
        text.replace('"query": ""', '"query": "q: "'),
      ),
  },
  'the document prompt': { options: { documentPrompt: 'd: ' } },
  'the query prompt': { options: { queryPrompt: 'q: ' } },
  dimensions: { options: { dimensions: 8, forceDimensions: true } },
  'max tokens': { options: { maxTokens: 32 } },
  'the name of the model': { id: 'another' },
  'the commit of the model': { revision: 'c0ffee' },
  'the name of the graph': {
    change: (folder) => rename(join(folder, 'onnx/model.onnx'), join(folder, 'onnx/model_O1.onnx')),
  },
};

test('no two of these have one fingerprint', async (t) => {
  const seen = new Map<string, string>([
    [await fingerprintOf(testData('models/tiny-bert'), 'tiny-bert'), 'none'],
  ]);
  for (const [title, { change, options, id = 'tiny-bert', revision = null }] of Object.entries(changes)) {
    const folder = await tempFolder(t);
    await cp(testData('models/tiny-bert'), folder, { recursive: true });
    await change?.(folder);
    const model = await loadModel({ id, revision, folder }, { precision: 'auto', ...options });
    const changed = fingerprint({ space: recipeSpace(model), text: {} }).split('-')[0] ?? '';
    assert.equal(seen.get(changed), undefined, title);
    seen.set(changed, title);
  }
});

test('another graph of the same model is another space', async (t) => {
  const folder = await tempFolder(t);
  await cp(testData('models/graph-pooled'), folder, { recursive: true });
  await cp(join(folder, 'onnx/model.onnx'), join(folder, 'onnx/model_O1.onnx'));
  const fp32 = await spaceOf(folder, 'm', { precision: 'fp32' });
  const other = await spaceOf(folder, 'm', { graphFile: 'model_O1.onnx' });
  assert.deepEqual([fp32['graph'], other['graph']], ['model.onnx', 'model_O1.onnx']);
  assert.notEqual(fingerprint({ space: fp32, text: {} }), fingerprint({ space: other, text: {} }));
});

for (const [model, options] of [
  [
    'tiny-bert',
    { dimensions: 8, forceDimensions: true, maxTokens: 20, documentPrompt: '', queryPrompt: 'q: ' },
  ],
  ['tiny-xlmr-unigram', {}],
  ['tiny-static', { dimensions: 8, forceDimensions: true }],
  ['tiny-model2vec-vq', {}],
  ['graph-dynamic-int8', {}],
  ['graph-float16', {}],
  ['graph-task', {}],
] as const) {
  test(`what an index of ${model} keeps loads the model as it was`, async () => {
    const folder = testData(`models/${model}`);
    const space = await spaceOf(folder, model, options);
    // As it comes back from an index.
    const kept = JSON.parse(JSON.stringify(space)) as typeof space;
    assert.deepEqual(await spaceOf(folder, model, optionsOfSpace(kept)), space);
  });
}
