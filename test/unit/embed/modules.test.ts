/**
 * What stands in modules.json after the transformer, in all its forms. The expected vectors are computed here from
 * token vectors that ONNX Runtime gives the test itself.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Side } from '#embatch/embed/compute/encoder.js';
import type { ModelOptions } from '#embatch/embed/model/model.js';
import { openFolder } from '../../support/models.js';
import type { TestTensor } from '../../support/safetensors.js';
import { assertNear } from './near.js';
import { normalize, old, pooling, tinyBert, WIDTH, withModules, type TestModule } from './tiny-bert.js';

const TEXTS = ['hello world', 'What makes a vector trustworthy?', 'a'];

type Vector = readonly number[];
type Matrix = readonly Vector[];

const session = await InferenceSession.create(join(tinyBert, 'onnx/model.onnx'), { logSeverityLevel: 3 });

/** [tokens][width] of one text alone. */
async function tokenVectors(ids: Int32Array): Promise<Matrix> {
  const tensor = (values: BigInt64Array): Tensor => new Tensor('int64', values, [1, ids.length]);
  const wide = BigInt64Array.from(ids, BigInt);
  const feeds: Record<string, Tensor> = {
    input_ids: tensor(wide),
    attention_mask: tensor(wide.slice().fill(1n)),
    token_type_ids: tensor(wide.slice().fill(0n)),
  };
  const output = await session.run(feeds);
  const values = [...((output['last_hidden_state'] ?? output['token_embeddings'])?.data as Float32Array)];
  assert.equal(values.length, ids.length * WIDTH);
  return [...ids].map((_, position) => values.slice(position * WIDTH, (position + 1) * WIDTH));
}

interface Check {
  readonly options?: Partial<ModelOptions>;
  readonly side?: Side;
}

async function check(
  folder: string,
  expected: (tokens: Matrix) => Vector,
  { options = {}, side = 'plain' }: Check = {},
): Promise<void> {
  const { model, embedder } = await openFolder(folder, options);
  const inputs = await embedder.encode(TEXTS, side);
  const vectors = await embedder.embed(inputs, side);
  for (const [index, ids] of inputs.entries()) {
    const vector = vectors.slice(index * model.dimensions, (index + 1) * model.dimensions);
    assertNear(vector, expected(await tokenVectors(ids)), TEXTS[index] ?? '');
  }
}

// ---- the same once more, in plain arithmetic -----------------------------------------------------------------------

const columns = (tokens: Matrix): Matrix =>
  (tokens[0] ?? []).map((_, i) => tokens.map((token) => token[i] ?? 0));
const total = (values: Vector): number => values.reduce((sum, value) => sum + value, 0);
const mean = (tokens: Matrix): Vector => columns(tokens).map((column) => total(column) / column.length);
const unit = (vector: Vector): Vector => vector.map((value) => value / Math.hypot(...vector));
const plus = (a: Vector, b: Vector): Vector => a.map((value, i) => value + (b[i] ?? 0));
const apply = (matrix: Matrix, vector: Vector): Vector =>
  matrix.map((row) => total(row.map((value, i) => value * (vector[i] ?? 0))));

function layerNorm(vector: Vector, weight: Vector, bias: Vector): Vector {
  const middle = total(vector) / vector.length;
  const variance = total(vector.map((value) => (value - middle) ** 2)) / vector.length;
  return vector.map(
    (value, i) => ((value - middle) / Math.sqrt(variance + 1e-5)) * (weight[i] ?? 0) + (bias[i] ?? 0),
  );
}

/** x · Φ(x), the normal distribution integrated by Simpson's rule. */
function gelu(x: number): number {
  const steps = 2000;
  const density = (z: number): number => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  const width = x / steps;
  let area = 0;
  for (let step = 0; step <= steps; step++) {
    const factor = step === 0 || step === steps ? 1 : step % 2 === 1 ? 4 : 2;
    area += factor * density(step * width);
  }
  return x * (0.5 + (area * width) / 3);
}

/** Numbers that half precision and bfloat16 hold exactly: n/32 up to ±3, none alike in a row. */
function matrix(rows: number, width: number, seed: number): Matrix {
  return Array.from({ length: rows }, (_, r) =>
    Array.from({ length: width }, (_, i) => (((r * 37 + i * 61 + seed * 17) % 97) - 48) / 32),
  );
}

const vector = (width: number, seed: number): Vector => matrix(1, width, seed)[0] ?? [];
const tensorOf = (values: Matrix, type: TestTensor['type'] = 'F32'): TestTensor => ({
  type,
  shape: [values.length, values[0]?.length ?? 0],
  values: values.flat(),
});
const listOf = (values: Vector, type: TestTensor['type'] = 'F32'): TestTensor => ({
  type,
  shape: [values.length],
  values,
});

// ---- Dense -----------------------------------------------------------------------------------------------------------

const weight = matrix(5, WIDTH, 1);
const bias = vector(5, 2);

function dense(config: object, weights: Readonly<Record<string, TestTensor>>): TestModule {
  const base = { in_features: WIDTH, out_features: 5, bias: true };
  return { type: old('Dense'), config: { ...base, ...config }, weights };
}

for (const [name, activation, activate] of [
  ['no activation named', undefined, Math.tanh],
  ['null', null, (x: number) => x],
  ['Identity', 'torch.nn.modules.linear.Identity', (x: number) => x],
  ['Tanh', 'torch.nn.modules.activation.Tanh', Math.tanh],
  ['ReLU', 'torch.nn.modules.activation.ReLU', (x: number) => (x > 0 ? x : 0)],
  ['GELU', 'torch.nn.modules.activation.GELU', gelu],
] as const) {
  for (const biased of [true, false]) {
    test(`Dense with ${name}, ${biased ? 'with' : 'without'} bias`, async (t) => {
      const weights = {
        'linear.weight': tensorOf(weight),
        ...(biased ? { 'linear.bias': listOf(bias) } : {}),
      };
      const layer = dense({ activation_function: activation, bias: biased }, weights);
      await check(await withModules(t, [pooling(), layer]), (tokens) =>
        plus(apply(weight, mean(tokens)), biased ? bias : []).map(activate),
      );
    });
  }
}

const identity = 'torch.nn.modules.linear.Identity';
const tanh = 'torch.nn.modules.activation.Tanh';

test('Dense with a residual of the same width adds its input as it is', async (t) => {
  const square = matrix(WIDTH, WIDTH, 3);
  const config = { out_features: WIDTH, bias: false, activation_function: tanh, use_residual: true };
  const layer = dense(config, { 'linear.weight': tensorOf(square) });
  await check(await withModules(t, [pooling(), layer]), (tokens) =>
    plus(apply(square, mean(tokens)).map(Math.tanh), mean(tokens)),
  );
});

test('Dense with a residual of another width projects its input, without activation', async (t) => {
  const projection = matrix(5, WIDTH, 4);
  const layer = dense(
    { activation_function: tanh, use_residual: true },
    {
      'linear.weight': tensorOf(weight),
      'linear.bias': listOf(bias),
      'residual.weight': tensorOf(projection),
    },
  );
  await check(await withModules(t, [pooling(), layer]), (tokens) =>
    plus(plus(apply(weight, mean(tokens)), bias).map(Math.tanh), apply(projection, mean(tokens))),
  );
});

for (const type of ['F16', 'BF16'] as const) {
  test(`Dense stored as ${type}`, async (t) => {
    const layer = dense(
      { activation_function: identity },
      { 'linear.weight': tensorOf(weight, type), 'linear.bias': listOf(bias, type) },
    );
    await check(await withModules(t, [pooling(), layer]), (tokens) =>
      plus(apply(weight, mean(tokens)), bias),
    );
  });
}

test('two Dense in a row, wider and narrower again, then Normalize, then a cut', async (t) => {
  const up = matrix(24, WIDTH, 5);
  const down = matrix(6, 24, 6);
  const layer = (inFeatures: number, outFeatures: number, values: Matrix): TestModule => ({
    type: 'sentence_transformers.base.modules.dense.Dense',
    config: {
      in_features: inFeatures,
      out_features: outFeatures,
      bias: false,
      activation_function: identity,
    },
    weights: { 'linear.weight': tensorOf(values) },
  });
  const folder = await withModules(t, [pooling(), layer(WIDTH, 24, up), layer(24, 6, down), normalize]);
  const whole = (tokens: Matrix): Vector => unit(apply(down, apply(up, mean(tokens))));
  await check(folder, whole);
  await check(folder, (tokens) => unit(whole(tokens).slice(0, 4)), {
    options: { dimensions: 4, forceDimensions: true },
  });
});

test('LayerNorm, Dropout and a Normalize in the middle keep their order', async (t) => {
  const scale = vector(WIDTH, 7);
  const shift = vector(WIDTH, 8);
  const modules: TestModule[] = [
    pooling(),
    { type: old('Dropout'), config: { dropout: 0.5 } },
    {
      type: old('LayerNorm'),
      config: { dimension: WIDTH },
      weights: { 'norm.weight': listOf(scale), 'norm.bias': listOf(shift) },
    },
    normalize,
    dense({ bias: false, activation_function: tanh }, { 'linear.weight': tensorOf(weight) }),
  ];
  await check(await withModules(t, modules), (tokens) =>
    apply(weight, unit(layerNorm(mean(tokens), scale, shift))).map(Math.tanh),
  );
});

// ---- pooling -------------------------------------------------------------------------------------------------------

/** @param tokens of the text without its prompt; `first` is the position of the first of them, from 0 */
const pools: Readonly<Record<string, (tokens: Matrix, first: number) => Vector>> = {
  cls: (tokens) => tokens[0] ?? [],
  max: (tokens) => columns(tokens).map((column) => Math.max(...column)),
  mean,
  mean_sqrt_len_tokens: (tokens) => columns(tokens).map((column) => total(column) / Math.sqrt(column.length)),
  weightedmean: (tokens, first) => {
    const weights = tokens.map((_, position) => first + position + 1);
    return columns(tokens).map(
      (column) => total(column.map((value, position) => value * (weights[position] ?? 0))) / total(weights),
    );
  },
  lasttoken: (tokens) => tokens.at(-1) ?? [],
};

const legacyFlag = (mode: string): string =>
  ({
    cls: 'pooling_mode_cls_token',
    max: 'pooling_mode_max_tokens',
    mean: 'pooling_mode_mean_tokens',
    mean_sqrt_len_tokens: 'pooling_mode_mean_sqrt_len_tokens',
    weightedmean: 'pooling_mode_weightedmean_tokens',
    lasttoken: 'pooling_mode_lasttoken',
  })[mode] ?? '';

const legacyCases: readonly (readonly [set: readonly string[], effective: readonly string[]])[] = [
  ...Object.keys(pools).map((mode) => [[mode], [mode]] as const),
  [[], ['mean']],
  // In the reference's order, whatever the order of the file.
  [
    ['lasttoken', 'max', 'cls'],
    ['cls', 'max', 'lasttoken'],
  ],
];
for (const [set, effective] of legacyCases) {
  test(`flags of the older pooling format: ${set.join(', ') || 'none'}`, async (t) => {
    const modes = new Set<string>([...set, ...Object.keys(pools)]);
    const flags = [...modes].map((mode): [string, boolean] => [
      legacyFlag(mode),
      set.some((name) => name === mode),
    ]);
    const config: Record<string, unknown> = { word_embedding_dimension: WIDTH, ...Object.fromEntries(flags) };
    await check(await withModules(t, [pooling(config)]), (tokens) =>
      effective.flatMap((mode) => pools[mode]?.(tokens, 0) ?? []),
    );
  });
}

/** tiny-bert spells the prompt with 8 tokens, as reference.json says, and opens it with [CLS]. */
const PROMPT = 'hello world';
const PROMPT_TOKENS = 9;

for (const [mode, pool] of Object.entries(pools)) {
  for (const includePrompt of [true, false]) {
    test(`${mode} pooling ${includePrompt ? 'with' : 'without'} the prompt's tokens`, async (t) => {
      const folder = await withModules(t, [pooling({ pooling_mode: mode, include_prompt: includePrompt })]);
      const skip = includePrompt ? 0 : PROMPT_TOKENS;
      const options = { queryPrompt: `${PROMPT} ` };
      await check(folder, (tokens) => pool(tokens.slice(skip), skip), { options, side: 'query' });
      // No prompt, nothing to leave out.
      await check(folder, (tokens) => pool(tokens, 0), { options, side: 'document' });
    });
  }
}
