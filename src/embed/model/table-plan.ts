import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbatchError, describeError } from '../../core/errors.js';
import type { Precision } from '../graph-choice.js';
import type { Step, TableEncoder } from './model.js';
import { readTensorList, requireTensor } from './safetensors.js';
import { positiveInteger } from './step-config.js';

export interface TablePlan {
  readonly encoder: TableEncoder;
  readonly steps: readonly Step[];
  readonly maxTokens: { readonly value: number; readonly origin: string };
  readonly precision: Precision;
  readonly dropUnknown: boolean;
}

/** Tokens of a text that model2vec looks at, unless config.json says otherwise. */
const MODEL2VEC_MAX_TOKENS = 512;

const precisionOf = { F32: 'fp32', F64: 'fp32', F16: 'fp16', BF16: 'fp16', I8: 'int8', U8: 'uint8' } as const;

/**
 * Reads what a static model is made of. Two formats share this layout: sentence-transformers' StaticEmbedding (tensor
 * `embedding.weight`; all tokens count, of any number) and model2vec (`embeddings`, perhaps `weights` and `mapping`;
 * unknown tokens are left out and long texts cut, as its own library does). Error: MODEL.
 *
 * @param folder of the module
 */
export async function planTable(
  folder: string,
  config: Readonly<Record<string, unknown>>,
  steps: readonly Step[],
): Promise<TablePlan> {
  const file = join(folder, 'model.safetensors');
  const tensors = await readTensorList(file);
  const isModel2vec = tensors.has('embeddings');
  const vectors = isModel2vec ? 'embeddings' : 'embedding.weight';
  const table = requireTensor(tensors, vectors, [undefined, undefined], file);
  const [, width = 0] = table.shape;
  const precision = (precisionOf as Record<string, Precision | undefined>)[table.type];
  if (precision === undefined) {
    throw new EmbatchError(
      'MODEL',
      `${file}: ${vectors} is stored as ${table.type}, which is no vector's type.`,
    );
  }
  const optional = (name: string): string | undefined =>
    isModel2vec && tensors.has(name) ? name : undefined;
  if (optional('mapping') !== undefined) requireTensor(tensors, 'mapping', [undefined], file);
  // One for each token; without a mapping a row is a token.
  const [tokens] = (tensors.get('mapping') ?? table).shape;
  if (optional('weights') !== undefined) requireTensor(tensors, 'weights', [tokens], file);
  const normalizes = isModel2vec && config['normalize'] === true;
  const hasNormalize = steps.some(({ kind }) => kind === 'normalize');
  const maxTokens = positiveInteger(config['max_length']) ?? MODEL2VEC_MAX_TOKENS;
  return {
    encoder: {
      kind: 'table',
      file,
      vectors,
      weights: optional('weights'),
      mapping: optional('mapping'),
      width,
      maxCharacters: isModel2vec ? maxTokens * (await medianTokenLength(folder)) : Infinity,
    },
    steps: normalizes && !hasNormalize ? [...steps, { kind: 'normalize' }] : steps,
    maxTokens: isModel2vec
      ? {
          value: maxTokens,
          origin: config['max_length'] === undefined ? 'model2vec' : 'config.json, max_length',
        }
      : { value: Infinity, origin: 'StaticEmbedding has no limit' },
    precision,
    dropUnknown: isModel2vec,
  };
}

/** In code points, as model2vec measures the vocabulary with the tokens added to it. */
async function medianTokenLength(folder: string): Promise<number> {
  const file = join(folder, 'tokenizer.json');
  let json: { model?: { vocab?: unknown }; added_tokens?: { content?: unknown }[] };
  try {
    json = JSON.parse(await readFile(file, 'utf8')) as typeof json;
  } catch (error) {
    throw new EmbatchError('MODEL', `${file} cannot be read: ${describeError(error)}`, { cause: error });
  }
  const vocabulary = json.model?.vocab ?? {};
  const tokens = new Set<string>(
    Array.isArray(vocabulary)
      ? (vocabulary as unknown[][]).map(([token]) => String(token))
      : Object.keys(vocabulary),
  );
  for (const { content } of json.added_tokens ?? []) if (typeof content === 'string') tokens.add(content);
  if (tokens.size === 0) throw new EmbatchError('MODEL', `${file} has no vocabulary.`);
  const lengths = [...tokens].map((token) => Array.from(token).length).sort((a, b) => a - b);
  const upper = lengths[lengths.length >> 1] ?? 0;
  const lower = lengths[(lengths.length - 1) >> 1] ?? 0;
  return Math.max(1, Math.trunc((lower + upper) / 2));
}
