/**
 * Model folders whose files lie: each is refused, when it is loaded or at the latest when a worker opens it, in words
 * that name the file and say what to do.
 */
import assert from 'node:assert/strict';
import { cp, mkdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import type { ModelOptions } from '#embatch/embed/model/model.js';
import { openFolder } from '../../support/models.js';
import { testData } from '../../support/paths.js';
import { safetensors, writeSafetensors } from '../../support/safetensors.js';
import { tempFolder } from '../../support/temp-folder.js';
import { normalize, old, pooling, WIDTH, withModules, type TestModule } from './tiny-bert.js';

interface Lie {
  /** tiny-bert without. */
  readonly model?: string;
  readonly change: (folder: string) => Promise<unknown>;
  readonly options?: Partial<ModelOptions>;
  /** Of the message: the file, then what is wrong or what to do. */
  readonly says: readonly (string | RegExp)[];
}

function refused(title: string, { model = 'tiny-bert', change, options, says }: Lie): void {
  test(title, async (t) => {
    const folder = await tempFolder(t);
    await cp(testData(`models/${model}`), folder, { recursive: true });
    await change(folder);
    await assertRefused(folder, says, options);
  });
}

async function assertRefused(
  folder: string,
  says: readonly (string | RegExp)[],
  options: Partial<ModelOptions> = {},
): Promise<void> {
  await assert.rejects(openFolder(folder, options), (error: unknown) => {
    assert.ok(isEmbatchError(error, 'MODEL'), String(error instanceof Error ? error.stack : error));
    for (const part of says) {
      const found = typeof part === 'string' ? error.message.includes(part) : part.test(error.message);
      assert.ok(found, `${String(part)} is not in: ${error.message}`);
    }
    assert.doesNotMatch(error.message, /\n/);
    return true;
  });
}

type Changes = Readonly<Record<string, unknown>>;

/** Overwrites keys of a JSON file; undefined removes one. */
async function edit(folder: string, name: string, changes: Changes): Promise<void> {
  const file = join(folder, name);
  const content = JSON.parse(await readFile(file, 'utf8')) as Changes;
  await writeFile(file, JSON.stringify({ ...content, ...changes }));
}

const write =
  (name: string, content: string | Buffer) =>
  async (folder: string): Promise<void> => {
    await writeFile(join(folder, name), content);
  };

const lfsPointer =
  'version https://git-lfs.github.com/spec/v1\n' +
  'oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 90868376\n';
const webPage =
  '<!DOCTYPE html>\n<html><head><title>503 Service Unavailable</title></head><body></body></html>\n';

// ---- what stands in for a file -----------------------------------------------------------------------------------------

for (const [model, name] of [
  ['tiny-bert', 'onnx/model.onnx'],
  ['tiny-bert', 'tokenizer.json'],
  ['tiny-bert', 'config.json'],
  ['tiny-bert', 'modules.json'],
  ['tiny-static', 'model.safetensors'],
  ['graph-external', 'onnx/model.onnx_data'],
] as const) {
  refused(`a Git LFS pointer for ${name} of ${model}`, {
    model,
    change: write(name, lfsPointer),
    says: [name, 'is a Git LFS pointer', 'run git lfs pull'],
  });
  refused(`a web page for ${name} of ${model}`, {
    model,
    change: write(name, webPage),
    says: [name, 'is a web page', 'fetch it again'],
  });
  refused(`a folder called ${name} in ${model}`, {
    model,
    change: async (folder) => {
      await rm(join(folder, name));
      await mkdir(join(folder, name));
    },
    says: [name, /EISDIR/],
  });
}

// ---- ONNX ----------------------------------------------------------------------------------------------------------------

refused('an empty graph', {
  change: write('onnx/model.onnx', ''),
  says: ['onnx/model.onnx is not an ONNX graph', 'Fetch or export it again'],
});
for (const share of [0.1, 0.5, 0.999]) {
  refused(`a graph of which ${share * 100} % are there`, {
    change: async (folder) => {
      const file = join(folder, 'onnx/model.onnx');
      await truncate(file, Math.floor((await readFile(file)).length * share));
    },
    says: ['onnx/model.onnx is not an ONNX graph, or only a part of one', 'Fetch or export it again'],
  });
}
refused('a graph with graphs nested ten thousand deep', {
  change: write('onnx/model.onnx', nestedGraph(10_000)),
  says: ['onnx/model.onnx is not an ONNX graph', 'nested more than 64 deep'],
});
refused('a graph with an operator that does not exist', {
  change: (folder) => replaceBytes(join(folder, 'onnx/model.onnx'), 'MatMul', 'MatMux'),
  says: ['onnx/model.onnx cannot be opened', 'MatMux'],
});
refused('a graph with an input that is not known', {
  change: (folder) => replaceBytes(join(folder, 'onnx/model.onnx'), 'token_type_ids', 'something_else'),
  says: ['onnx/model.onnx has an input something_else that is not known here', 'token_type_ids'],
});
refused('a graph without a known output', {
  change: (folder) => replaceBytes(join(folder, 'onnx/model.onnx'), 'last_hidden_state', 'first_shown_state'),
  says: [
    'onnx/model.onnx has outputs first_shown_state',
    'last_hidden_state, token_embeddings, sentence_embedding',
  ],
});
refused('a graph of another width than config.json says', {
  model: 'graph-decoder',
  change: (folder) => edit(folder, 'config.json', { hidden_size: 32 }),
  says: ['onnx/model.onnx gives last_hidden_state 8 wide', '32', 'belong to different models'],
});
refused('a graph that does not say its width, which is another one', {
  model: 'graph-int32',
  change: async (folder) => {
    await edit(folder, 'config.json', { hidden_size: 32 });
    await edit(folder, '1_Pooling/config.json', { embedding_dimension: 32 });
  },
  says: ['onnx/model.onnx gave last_hidden_state', 'promises [2, 2, 32]', 'belong to different models'],
});
refused('a width that nobody says', {
  model: 'graph-int32',
  change: (folder) => edit(folder, 'config.json', { hidden_size: undefined }),
  says: ['neither', 'onnx/model.onnx nor config.json (hidden_size)'],
});
refused('a width of ten thousand million', {
  model: 'graph-int32',
  change: (folder) => edit(folder, 'config.json', { hidden_size: 10_737_418_240 }),
  says: ['onnx/model.onnx', 'width 10737418240'],
});
refused('heads that do not fit the graph', {
  model: 'graph-decoder',
  change: (folder) => edit(folder, 'config.json', { num_key_value_heads: 3 }),
  says: ['onnx/model.onnx failed on a batch of 2 × 2 tokens'],
});
refused('heads of ten thousand million', {
  model: 'graph-decoder',
  change: (folder) => edit(folder, 'config.json', { num_key_value_heads: 1e10, head_dim: 1e10 }),
  says: ['onnx/model.onnx failed'],
});
refused('heads whose size is no whole number', {
  model: 'graph-decoder',
  change: (folder) =>
    edit(folder, 'config.json', { num_key_value_heads: 3, num_attention_heads: 3, head_dim: undefined }),
  says: ['past_key_values.0.key', 'num_key_value_heads, head_dim'],
});
refused('no graph at all', {
  change: (folder) => rm(join(folder, 'onnx'), { recursive: true }),
  says: ['has no ONNX file', 'save_pretrained'],
});
refused('weights beside the graph that are not there', {
  model: 'graph-external',
  change: (folder) => rm(join(folder, 'onnx/model.onnx_data')),
  says: ['onnx/model.onnx_data cannot be read', 'Fetch or export the model again'],
});
refused('weights beside the graph that are cut off', {
  model: 'graph-external',
  change: (folder) => truncate(join(folder, 'onnx/model.onnx_data'), 1000),
  says: [/onnx\/model\.onnx_data has 1000 bytes, the graph .*model\.onnx needs \d{4} of it: fetch it again/],
});

// ---- safetensors ---------------------------------------------------------------------------------------------------------

const table = { dtype: 'F32', shape: [640, 32], data_offsets: [0, 81920] };
const data = Buffer.alloc(81920);
const tensors = (header: unknown, content = data): Pick<Lie, 'model' | 'change'> => ({
  model: 'tiny-static',
  change: write('model.safetensors', safetensors(header, content)),
});
const withTable = (changes: object): Pick<Lie, 'model' | 'change'> =>
  tensors({ 'embedding.weight': { ...table, ...changes } });
const notWhole = 'model.safetensors is not a whole safetensors file';

test('the safetensors file that the lies are made of is accepted', async (t) => {
  const folder = await tempFolder(t);
  await cp(testData('models/tiny-static'), folder, { recursive: true });
  await withTable({}).change(folder);
  assert.equal((await openFolder(folder)).model.dimensions, 32);
});

const tenGigabytes = Buffer.alloc(8);
tenGigabytes.writeBigUInt64LE(10n * 2n ** 30n);

for (const [title, lie, ...says] of [
  ['no bytes', { model: 'tiny-static', change: write('model.safetensors', '') }, notWhole, 'it has 0 bytes'],
  [
    'a header of ten gigabytes',
    { model: 'tiny-static', change: write('model.safetensors', Buffer.concat([tenGigabytes, data])) },
    notWhole,
    'its header claims 10737418240 bytes, the file has 81928',
  ],
  ['a header that is not JSON', tensors('{"embedding.weight": {'), notWhole, 'its header is not JSON'],
  ['a header that is null', tensors('null'), notWhole, 'its header is not a JSON object'],
  ['a header that is a list', tensors('[]'), notWhole, 'its header is not a JSON object'],
  ['a tensor that is null', tensors({ 'embedding.weight': null }), notWhole, 'described as null'],
  [
    'a tensor without offsets',
    withTable({ data_offsets: undefined }),
    notWhole,
    'embedding.weight is described as',
  ],
  [
    'a cut file',
    tensors({ 'embedding.weight': table }, data.subarray(1)),
    notWhole,
    'ends at byte',
    'Fetch it again',
  ],
  [
    'a shape of more numbers than bytes',
    withTable({ shape: [640, 33] }),
    notWhole,
    '[640, 33] in F32 takes 84480',
  ],
  [
    'a shape of huge numbers',
    withTable({ shape: [2 ** 53 - 1, 2 ** 53 - 1] }),
    notWhole,
    'embedding.weight has 81920 bytes',
  ],
  ['a shape of numbers past all numbers', withTable({ shape: [1e300, 1e300] }), notWhole, 'is described as'],
  ['a shape of negative numbers', withTable({ shape: [-640, -32] }), notWhole, 'is described as'],
  ['a shape of fractions', withTable({ shape: [1280.5, 16] }), notWhole, 'is described as'],
  ['negative offsets', withTable({ data_offsets: [-40, 81880] }), notWhole, 'is described as'],
  [
    'offsets in the wrong order',
    withTable({ data_offsets: [81920, 0] }),
    notWhole,
    'has the offsets [81920,0]',
  ],
  ['offsets past the end', withTable({ data_offsets: [8, 81928] }), notWhole, 'ends at byte'],
  [
    'tensors that share bytes',
    tensors({ 'embedding.weight': table, other: { dtype: 'F32', shape: [2], data_offsets: [81912, 81920] } }),
    notWhole,
    'other begins at byte',
    'before embedding.weight ends',
  ],
  ['another name for the table', tensors({ embeds: table }), 'has no tensor embedding.weight; it has embeds'],
  [
    'a table with one axis',
    withTable({ shape: [20480] }),
    'embedding.weight has the shape [20480]',
    '[any, any]',
  ],
  ['a table of whole numbers', withTable({ dtype: 'I32' }), 'embedding.weight is stored as I32'],
  ['a type that nobody knows', withTable({ dtype: 'F8_E4M3' }), 'has no tensor embedding.weight'],
] as const satisfies readonly (readonly [string, Pick<Lie, 'model' | 'change'>, ...string[]])[]) {
  refused(`safetensors with ${title}`, { ...lie, says });
}

refused('model2vec with weights for other tokens', {
  model: 'tiny-model2vec-vq',
  change: async (folder) => {
    const values = Array.from({ length: 300 * 24 }, () => 1);
    await writeSafetensors(join(folder, 'model.safetensors'), {
      embeddings: { shape: [300, 24], values },
      weights: { shape: [299], values: values.slice(0, 299) },
    });
  },
  says: ['model.safetensors: weights has the shape [299]', '[300]'],
});

// ---- tokenizer and model of different models -----------------------------------------------------------------------------

for (const model of ['graph-decoder', 'graph-pooled', 'graph-task']) {
  refused(`${model} with the tokenizer of a larger vocabulary`, {
    model,
    change: (folder) => cp(testData('models/tiny-bert/tokenizer.json'), join(folder, 'tokenizer.json')),
    says: ['onnx/model.onnx', 'The tokenizer has a token 639', 'tokenizer and model do not belong together'],
  });
}
refused('a static table with the tokenizer of a larger vocabulary', {
  model: 'tiny-static',
  change: async (folder) => {
    const file = join(folder, 'tokenizer.json');
    const json = JSON.parse(await readFile(file, 'utf8')) as { model: { vocab: Record<string, number> } };
    json.model.vocab['surplus'] = 640;
    await writeFile(file, JSON.stringify(json));
  },
  says: ['model.safetensors has no row for token 640', 'Table and tokenizer belong to different models'],
});
refused('a padding id beyond the table', {
  change: (folder) => edit(folder, 'config.json', { pad_token_id: 640 }),
  says: ['onnx/model.onnx failed on a batch of 2 × 2 tokens', '640'],
});
refused('no tokenizer', {
  change: (folder) => rm(join(folder, 'tokenizer.json')),
  says: ['has no readable tokenizer', 'save_pretrained(folder)'],
});
refused('a tokenizer without a vocabulary', {
  change: (folder) => edit(folder, 'tokenizer.json', { model: { type: 'WordPiece' } }),
  says: ['tokenizer.json', 'vocabulary'],
});

// One looks positions up, the other one takes a slice of them.
for (const model of ['graph-decoder', 'graph-int32']) {
  test(`a text longer than the positions that ${model} has says to give --max-tokens`, async (t) => {
    const folder = await tempFolder(t);
    await cp(testData(`models/${model}`), folder, { recursive: true });
    await edit(folder, 'config.json', { max_position_embeddings: 512 });
    const { embedder } = await openFolder(folder);
    await assert.rejects(embedder.embed([new Int32Array(40).fill(7)], 'plain'), {
      code: 'MODEL',
      message: /model\.onnx failed on a batch of 1 × 40 tokens: .*fewer than 40 positions: give --max-tokens/,
    });
  });
}

// ---- configuration ---------------------------------------------------------------------------------------------------------

for (const name of [
  'config.json',
  'tokenizer_config.json',
  'sentence_bert_config.json',
  '1_Pooling/config.json',
]) {
  refused(`${name} that is not JSON`, {
    change: write(name, '{"hidden_size": 16,'),
    says: [name, 'is not JSON'],
  });
  refused(`${name} that is a list`, { change: write(name, '[]'), says: [name, 'is not a JSON object'] });
  refused(`${name} that is null`, { change: write(name, 'null'), says: [name, 'is not a JSON object'] });
}
refused('a pooling configuration of another width', {
  change: (folder) => edit(folder, '1_Pooling/config.json', { embedding_dimension: 384 }),
  says: ['1_Pooling/config.json', '384', '16'],
});
for (const [config, ...says] of [
  [{ pooling_mode: 'median' }, 'asks for pooling "median"'],
  [{ pooling_mode: ['mean', 'median'] }, 'asks for pooling "median"'],
  [{ pooling_mode: [] }, 'asks for pooling []'],
  [
    { pooling_mode: undefined, pooling_mode_median_tokens: true },
    'asks for pooling "pooling_mode_median_tokens"',
  ],
  [{ include_prompt: 'no' }, 'include_prompt is "no"'],
] as const) {
  refused(`pooling ${JSON.stringify(config)}`, {
    change: (folder) => edit(folder, '1_Pooling/config.json', config),
    says: ['1_Pooling/config.json', ...says],
  });
}
for (const [title, content, ...says] of [
  ['no list', { 0: 'Transformer' }, 'is not a list of modules'],
  ['empty', [], 'is not a list of modules'],
  ['a list of null', [null], 'module 0 has no type and path'],
  ['a list of words', ['Transformer'], 'module 0 has no type and path'],
  [
    'on its way out of the folder',
    [{ type: old('Transformer'), path: '../tiny-bert' }],
    'leads out of the model',
  ],
  ['on its way to the root', [{ type: old('Transformer'), path: '/etc' }], 'leads out of the model'],
  ['on its way out backwards', [{ type: old('Transformer'), path: 'a\\..\\..' }], 'leads out of the model'],
  [
    'a model of images',
    [{ type: old('CLIPModel'), path: '' }],
    'has a module sentence_transformers.models.CLIPModel',
  ],
  ['without pooling', [{ type: old('Transformer'), path: '' }], 'has 0 Pooling modules'],
  ['without a transformer', [{ type: old('Pooling'), path: '1_Pooling' }], 'has a module', 'models.Pooling'],
] as const) {
  refused(`modules.json ${title}`, {
    change: write('modules.json', JSON.stringify(content)),
    says: ['modules.json', ...says],
  });
}
for (const changes of [
  { architectures: [null] },
  { architectures: 7 },
  { _name_or_path: 7 },
  { text_config: 7 },
]) {
  test(`config.json with ${JSON.stringify(changes)} is read for what else it says`, async (t) => {
    const folder = await tempFolder(t);
    await cp(testData('models/graph-pooled'), folder, { recursive: true });
    await edit(folder, 'config.json', changes);
    assert.equal((await openFolder(folder, { maxTokens: 32 })).model.dimensions, 4);
  });
}
refused('prompts that are a list', {
  change: (folder) => edit(folder, 'config_sentence_transformers.json', { prompts: ['query: '] }),
  says: ['config_sentence_transformers.json: prompts is ["query: "]'],
});
for (const length of [1e30, 10_737_418_240, -1, 0, 1.5, '512']) {
  refused(`a longest input of ${JSON.stringify(length)}`, {
    change: (folder) => edit(folder, 'sentence_bert_config.json', { max_seq_length: length }),
    says: ['sentence_bert_config.json says max_seq_length', JSON.stringify(length), 'give --max-tokens'],
  });
}
refused('lengths that mean nothing everywhere', {
  change: async (folder) => {
    await edit(folder, 'config.json', { max_position_embeddings: 1e30 });
    await edit(folder, 'tokenizer_config.json', { model_max_length: 1e30 });
  },
  says: ['does not say how many tokens the model takes', '1e+30', 'give --max-tokens'],
});
refused('a graph named like fp32 that holds int8, asked for as fp32', {
  model: 'graph-dynamic-int8',
  change: (folder) => rename(join(folder, 'onnx/model_quantized.onnx'), join(folder, 'onnx/model.onnx')),
  options: { precision: 'fp32' },
  says: ['onnx/model.onnx holds int8 weights, not fp32', '--precision auto'],
});

// ---- Dense -----------------------------------------------------------------------------------------------------------------

const values = (count: number): number[] => Array.from({ length: count }, () => 0.5);
const config = { in_features: WIDTH, out_features: 4, bias: false };
const weight = { 'linear.weight': { shape: [4, WIDTH], values: values(4 * WIDTH) } };
const denseModule = (changes: object, weights: TestModule['weights'] = weight): TestModule => ({
  type: old('Dense'),
  config: { ...config, ...changes },
  weights,
});

for (const [title, module, ...says] of [
  [
    'of another width than the vectors that it gets',
    denseModule({ in_features: 20 }, { 'linear.weight': { shape: [4, 20], values: values(80) } }),
    '2_Dense/model.safetensors takes vectors of 20, it would get 16',
  ],
  [
    'of another width than its weights',
    denseModule({ out_features: 5 }),
    '[4, 16]',
    'the configuration says [5, 16]',
  ],
  ['without its bias', denseModule({ bias: true }), 'has no tensor linear.bias; it has linear.weight'],
  ['without its projection', denseModule({ use_residual: true }), 'has no tensor residual.weight'],
  ['without widths', denseModule({ in_features: undefined }), '2_Dense/config.json needs in_features'],
  [
    'with another activation',
    denseModule({ activation_function: 'torch.nn.modules.activation.SiLU' }),
    '2_Dense/config.json has the activation "torch.nn.modules.activation.SiLU"',
    'identity, tanh, relu, gelu',
  ],
  [
    'with an activation of its own code',
    denseModule({ activation_function: 'my_code.Tanh' }),
    '2_Dense/config.json has the activation "my_code.Tanh"',
  ],
  [
    'that works on token vectors',
    denseModule({ module_input_name: 'token_embeddings' }),
    '2_Dense/config.json',
    'works on "token_embeddings"',
  ],
  [
    'whose module is not known',
    { type: 'sentence_transformers.models.WeightedLayerPooling', config: {} },
    'modules.json has a module sentence_transformers.models.WeightedLayerPooling that is not known here',
  ],
] as const satisfies readonly (readonly [string, TestModule, ...string[]])[]) {
  test(`a layer ${title}`, async (t) => {
    await assertRefused(await withModules(t, [pooling(), module, normalize]), says);
  });
}

test('a Dense with its weights only as a pickle', async (t) => {
  const folder = await withModules(t, [pooling(), denseModule({})]);
  await rename(join(folder, '2_Dense/model.safetensors'), join(folder, '2_Dense/pytorch_model.bin'));
  await assertRefused(folder, [
    '2_Dense has its weights only as pytorch_model.bin',
    'save_pretrained(folder)',
  ]);
});

test('a Dense without weights', async (t) => {
  const folder = await withModules(t, [pooling(), denseModule({})]);
  await rm(join(folder, '2_Dense/model.safetensors'));
  await assertRefused(folder, ['2_Dense/model.safetensors cannot be read']);
});

test('a LayerNorm of another width', async (t) => {
  const seven = { shape: [7], values: values(7) };
  const module = {
    type: old('LayerNorm'),
    config: {},
    weights: { 'norm.weight': seven, 'norm.bias': seven },
  };
  await assertRefused(await withModules(t, [pooling(), module]), ['norm.weight has the shape [7]', '[16]']);
});

/** Replaces every occurrence by as many other bytes, so that the lengths in the file stay true. */
async function replaceBytes(file: string, from: string, to: string): Promise<void> {
  assert.equal(from.length, to.length);
  const content = await readFile(file, 'latin1');
  assert.ok(content.includes(from));
  await writeFile(file, content.replaceAll(from, to), 'latin1');
}

/** Protobuf fields of a ModelProto whose graph has a node with an attribute that is a graph, and so on. */
function nestedGraph(depth: number): Buffer {
  const field = (number: number, content: Buffer): Buffer => {
    const length: number[] = [];
    for (let rest = content.length; ; rest = Math.floor(rest / 128)) {
      length.push(rest < 128 ? rest : (rest % 128) + 128);
      if (rest < 128) break;
    }
    return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), content]);
  };
  let graph = Buffer.alloc(0);
  for (let level = 0; level < depth; level++) graph = Buffer.from(field(1, field(5, field(6, graph))));
  return field(7, graph);
}
