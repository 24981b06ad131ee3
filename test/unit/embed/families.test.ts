/**
 * Every family of models against vectors that sentence-transformers and model2vec computed in fp32, one text per
 * call. The models are tiny and random: they test loading, not meaning.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Side } from '#embatch/embed/compute/encoder.js';
import type { ModelOptions } from '#embatch/embed/model/model.js';
import { openFolder } from '../../support/models.js';
import { testData } from '../../support/paths.js';
import { sharedFolder } from '../../support/shared.js';

interface Vector {
  readonly input_ids?: readonly number[];
  readonly embedding: readonly number[] | null;
}

interface Row extends Vector {
  readonly name: string;
  readonly text: string;
  readonly with_prompt?: Readonly<Record<string, Vector>>;
  readonly truncate_8?: readonly number[];
}

interface Case {
  readonly folder: string;
  readonly rows: readonly (Vector & { readonly name: string; readonly text: string })[];
  readonly side?: Side;
  readonly options?: Partial<ModelOptions>;
}

/** Of elements; one text of torch differs by 3e-7 alone and in a batch. */
const TOLERANCE = 1e-5;
const MIN_COSINE = 0.99999;

async function check({ folder, rows, side = 'plain', options = {} }: Case): Promise<void> {
  const { model, embedder } = await openFolder(folder, options);
  const inputs = await embedder.encode(
    rows.map(({ text }) => text),
    side,
  );
  const together = await embedder.embed(inputs, side);
  for (const [index, row] of rows.entries()) {
    const ids = inputs[index] as Int32Array;
    if (row.input_ids !== undefined) assert.deepEqual([...ids], row.input_ids, row.name);
    const vector = together.slice(index * model.dimensions, (index + 1) * model.dimensions);
    assert.deepEqual(await embedder.embed([ids], side), vector, `${row.name} alone`);
    assertNear(vector, row.embedding ?? new Array<number>(model.dimensions).fill(0), row.name);
  }
}

function assertNear(vector: Float32Array, expected: readonly number[], name: string): void {
  assert.equal(vector.length, expected.length, name);
  const dot = expected.reduce((sum, value, i) => sum + value * (vector[i] ?? Number.NaN), 0);
  const norms = Math.hypot(...vector) * Math.hypot(...expected);
  if (norms > 0) assert.ok(dot / norms >= MIN_COSINE, `${name}: cosine ${dot / norms}`);
  const scale = Math.max(1, ...expected.map(Math.abs));
  const difference = Math.max(...expected.map((value, i) => Math.abs(value - (vector[i] ?? Number.NaN))));
  assert.ok(difference <= toleranceOf(norms, expected) * scale, `${name}: differs by ${difference}`);
}

/** model2vec's half-precision vectors have three digits; they are recognisable by being exact halves. */
function toleranceOf(norms: number, expected: readonly number[]): number {
  return norms > 0 && expected.every(isHalf) ? 1e-3 : TOLERANCE;
}

function isHalf(value: number): boolean {
  if (value === 0) return true;
  const step = 2 ** (Math.floor(Math.log2(Math.abs(value))) - 10);
  return Math.abs(value / step - Math.round(value / step)) < 1e-3;
}

const tiny = (name: string): string => testData(`models/${name}`);
const references = (name: string): Row[] =>
  JSON.parse(readFileSync(join(tiny(name), 'reference.json'), 'utf8')) as Row[];
for (const [name, what] of [
  ['tiny-bert', 'WordPiece, token types, mean'],
  ['tiny-xlmr-unigram', 'Unigram, positions after the padding index'],
  ['tiny-roberta-bpe', 'byte-level BPE, cls'],
  ['tiny-qwen3-lasttoken', 'a decoder with its last token'],
  ['tiny-static', 'StaticEmbedding'],
  ['tiny-model2vec', 'model2vec in half precision'],
  ['tiny-model2vec-vq', 'model2vec with weights and shared rows'],
] as const) {
  test(`${name} (${what}): ids and vectors are those of the reference, alone and in a batch`, async () => {
    await check({ folder: tiny(name), rows: references(name) });
  });
}

for (const [name, prompt, side] of [
  ['tiny-xlmr-unigram', 'query', 'query'],
  ['tiny-xlmr-unigram', 'passage', 'document'],
  ['tiny-qwen3-lasttoken', 'query', 'query'],
] as const) {
  test(`${name}: a ${side} is embedded with the model's prompt ${prompt}`, async () => {
    const rows = references(name).flatMap((row) => {
      const prompted = row.with_prompt?.[prompt];
      return prompted === undefined ? [] : [{ ...prompted, name: row.name, text: row.text }];
    });
    assert.ok(rows.length > 10);
    await check({ folder: tiny(name), rows, side });
  });
}

test('a vector that is cut is normalised again', async () => {
  const rows = references('tiny-static').map((row) => ({ ...row, embedding: unit(row.truncate_8 ?? []) }));
  await check({ folder: tiny('tiny-static'), rows, options: { dimensions: 8, forceDimensions: true } });
});

function unit(vector: readonly number[]): number[] {
  const norm = Math.hypot(...vector) || 1;
  return vector.map((value) => value / norm);
}

const shared = sharedFolder();
const skip = shared === undefined ? 'the fp32 model lies in ../shared, which is not here' : false;
const fp32 = join(shared ?? '', 'models/all-MiniLM-L6-v2');
const modulesDense = join(shared ?? '', 'reference/modules-dense');
const lines = <T>(name: string): T[] =>
  readFileSync(join(shared ?? '', 'reference', name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);

/** The fp32 model with other modules after its transformer. */
async function withModules(change: (folder: string) => void, work: (folder: string) => Promise<void>) {
  const folder = mkdtempSync(join(tmpdir(), 'embatch-modules-'));
  try {
    for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'onnx']) {
      symlinkSync(join(fp32, name), join(folder, name));
    }
    change(folder);
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('all-MiniLM-L6-v2 in fp32: every reference text', { skip }, async () => {
  await check({ folder: fp32, rows: lines<Row>('all-minilm-l6-v2.jsonl'), options: { precision: 'fp32' } });
});

interface PoolingRow {
  readonly name: string;
  readonly text: string;
  readonly input_ids: readonly number[];
  readonly raw: Readonly<Record<string, readonly number[]>>;
  readonly normalized: Readonly<Record<string, readonly number[]>>;
}

for (const mode of [
  'cls',
  'max',
  'mean',
  'mean_sqrt_len_tokens',
  'weightedmean',
  'lasttoken',
  'cls+mean',
  'max+mean_sqrt_len_tokens+lasttoken',
]) {
  test(`pooling ${mode}, as it is and normalised`, { skip }, async () => {
    for (const kind of ['raw', 'normalized'] as const) {
      const rows = lines<PoolingRow>('pooling-modes.jsonl').flatMap((row) => {
        const embedding = row[kind][mode];
        return embedding === undefined ? [] : [{ ...row, embedding }];
      });
      if (rows.length === 0) continue;
      const modules = ['Transformer', 'Pooling', ...(kind === 'raw' ? [] : ['Normalize'])];
      await withModules(
        (folder) => {
          writeModules(folder, modules);
          writePooling(folder, { embedding_dimension: 384, pooling_mode: mode.split('+') });
        },
        (folder) => check({ folder, rows, options: { maxTokens: 256 } }),
      );
    }
  });
}

function writeModules(folder: string, names: readonly string[]): void {
  const modules = names.map((name, idx) => ({
    idx,
    name: String(idx),
    path: idx === 0 ? '' : `${idx}_${name}`,
    type: `sentence_transformers.models.${name}`,
  }));
  writeFileSync(join(folder, 'modules.json'), JSON.stringify(modules));
}

function writePooling(folder: string, config: Record<string, unknown>): void {
  mkdirSync(join(folder, '1_Pooling'));
  writeFileSync(join(folder, '1_Pooling/config.json'), JSON.stringify(config));
}

interface DenseRow {
  readonly name: string;
  readonly text: string;
  readonly input_ids: readonly number[];
  readonly dense_normalized_128: readonly number[];
  readonly truncate_64_renormalized: readonly number[];
}

test('a dense layer with tanh, whole and cut to half', { skip }, async () => {
  const rows = lines<DenseRow>('dense-truncate.jsonl');
  await withModules(
    (folder) => {
      cpSync(modulesDense, folder, { recursive: true });
    },
    async (folder) => {
      const whole = rows.map((row) => ({ ...row, embedding: row.dense_normalized_128 }));
      await check({ folder, rows: whole, options: { maxTokens: 256 } });
      const half = rows.map((row) => ({ ...row, embedding: row.truncate_64_renormalized }));
      const options = { maxTokens: 256, dimensions: 64, forceDimensions: true };
      await check({ folder, rows: half, options });
    },
  );
});
