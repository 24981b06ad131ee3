import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { EmbatchError, describeError } from '../core/errors.js';
import type { JsonValue } from '../core/interfaces.js';
import { readJson } from './json-file.js';
import { findGraph, findModelFolder, type ModelLocation } from './model-folder.js';
import { readModules } from './modules.js';
import type { PoolingMode } from './pooling.js';

/** A model as its authors meant it: plain data, so that it can be sent to worker threads. */
export interface Model {
  /** Name in recipes: equal for the same model on every machine. */
  readonly id: string;
  /** The ONNX file. */
  readonly graph: string;
  /** The tokenizer.json. */
  readonly tokenizer: string;
  /** Longest input in tokens, special tokens included. */
  readonly maxTokens: number;
  /** Width of the hidden states. */
  readonly hiddenSize: number;
  /** Concatenated in this order. */
  readonly pooling: readonly PoolingMode[];
  readonly normalize: boolean;
  /** Width of a vector. */
  readonly dimensions: number;
  /** Put in front of a text before it is tokenised. */
  readonly documentPrompt: string;
  readonly queryPrompt: string;
  /**
   * False for graphs that quantise activations over a whole batch: the same text then has different vectors
   * alone and in a batch (docs/models.md).
   */
  readonly batchInvariant: boolean;
  /** SHA-256 in hex of what was read. */
  readonly hashes: { readonly weights: string; readonly tokenizer: string; readonly configs: string };
}

export interface ModelOptions {
  /** `all-MiniLM-L6-v2` (bundled) or a folder. */
  readonly ref: string;
}

/**
 * Reads a model's own files and resolves every rule that decides a vector; opens no session. Whatever is not
 * understood is refused by name, since a guess would give healthy-looking wrong vectors. Error: MODEL.
 */
export async function loadModel(options: ModelOptions): Promise<Model> {
  const location = await findModelFolder(options.ref);
  const [graph, modules, config, prompts] = await Promise.all([
    findGraph(location.folder),
    readModules(location.folder),
    readJson(location.folder, 'config.json'),
    readPrompts(location.folder),
  ]);
  const hiddenSize = positiveInteger(config['hidden_size']);
  if (hiddenSize === undefined) {
    throw new EmbatchError('MODEL', `${join(location.folder, 'config.json')} has no usable hidden_size.`);
  }
  const tokenizer = join(location.folder, 'tokenizer.json');
  const [weights, tokenizerFile, configs] = await Promise.all([
    inspectFile(graph),
    inspectFile(tokenizer),
    hashConfigs(location.folder, modules.files),
  ]);
  return {
    id: location.id,
    graph,
    tokenizer,
    maxTokens: await resolveMaxTokens(location, config),
    hiddenSize,
    pooling: modules.pooling,
    normalize: modules.normalize,
    dimensions: hiddenSize * modules.pooling.length,
    ...prompts,
    batchInvariant: !weights.quantisesBatch,
    hashes: { weights: weights.sha256, tokenizer: tokenizerFile.sha256, configs },
  };
}

/** The space half of the recipe (docs/design.md §5): everything that decides the vector of a given text. */
export function recipeSpace(model: Model): Record<string, JsonValue> {
  return {
    model: model.id,
    revision: null,
    weights: model.hashes.weights,
    tokenizer: model.hashes.tokenizer,
    configs: model.hashes.configs,
    graph: basename(model.graph),
    maxTokens: model.maxTokens,
    pooling: [...model.pooling],
    dense: [],
    normalize: model.normalize,
    dimensions: model.dimensions,
    documentPrompt: model.documentPrompt,
    queryPrompt: model.queryPrompt,
    batchInvariant: model.batchInvariant,
  };
}

/** Files whose content decides vectors, beside graph and tokenizer. */
const configFiles = [
  'modules.json',
  'config.json',
  'config_sentence_transformers.json',
  'sentence_bert_config.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
];

/** The largest limit that is taken for real; some configurations carry a sentinel of 1e30. */
const MAX_PLAUSIBLE_TOKENS = 1_000_000;

/** The precedence of facts that models really carry: sentence-transformers' own limit, else the smallest other. */
async function resolveMaxTokens(location: ModelLocation, config: Record<string, unknown>): Promise<number> {
  const own = await readJson(location.folder, 'sentence_bert_config.json', { optional: true });
  const limit = positiveInteger(own['max_seq_length']);
  if (limit !== undefined) return limit;
  const tokenizerConfig = await readJson(location.folder, 'tokenizer_config.json', { optional: true });
  const positions = positiveInteger(config['max_position_embeddings']);
  // RoBERTa's positions begin after the padding index, so 514 of them carry 512 tokens.
  const offset = /roberta/i.test(String(config['model_type'])) ? Number(config['pad_token_id'] ?? 1) + 1 : 0;
  const limits = [
    positiveInteger(tokenizerConfig['model_max_length']),
    positions === undefined ? undefined : positions - offset,
  ].filter((value) => value !== undefined && value > 0 && value <= MAX_PLAUSIBLE_TOKENS) as number[];
  if (limits.length > 0) return Math.min(...limits);
  throw new EmbatchError(
    'MODEL',
    `${location.folder} does not say how many tokens the model takes: give max_seq_length in ` +
      'sentence_bert_config.json, model_max_length in tokenizer_config.json or max_position_embeddings in config.json.',
  );
}

async function readPrompts(folder: string): Promise<{ documentPrompt: string; queryPrompt: string }> {
  const config = await readJson(folder, 'config_sentence_transformers.json', { optional: true });
  const prompts = (config['prompts'] ?? {}) as Record<string, unknown>;
  const named = (names: readonly unknown[]): string => {
    const name = names.find(
      (candidate) => typeof candidate === 'string' && typeof prompts[candidate] === 'string',
    );
    return name === undefined ? '' : (prompts[name as string] as string);
  };
  const fallback = config['default_prompt_name'];
  return {
    documentPrompt: named(['document', 'passage', 'corpus', fallback]),
    queryPrompt: named(['query', fallback]),
  };
}

/** Activations quantised over the whole batch tensor, which this operator does, make vectors depend on it. */
const BATCH_QUANTISING_OPERATOR = 'DynamicQuantizeLinear';

/** Reads a file once, however large, for its SHA-256 and for whether it names that operator. Error: MODEL. */
async function inspectFile(file: string): Promise<{ sha256: string; quantisesBatch: boolean }> {
  const hash = createHash('sha256');
  let quantisesBatch = false;
  let tail = '';
  try {
    for await (const bytes of createReadStream(file, { highWaterMark: 2 ** 20 })) {
      hash.update(bytes as Buffer);
      const text = tail + (bytes as Buffer).toString('latin1');
      quantisesBatch ||= text.includes(BATCH_QUANTISING_OPERATOR);
      tail = text.slice(-BATCH_QUANTISING_OPERATOR.length);
    }
  } catch (error) {
    throw new EmbatchError(
      'MODEL',
      `${file} cannot be read (${describeError(error)}). A model folder needs config.json, tokenizer.json, ` +
        'modules.json and an ONNX file.',
      { cause: error },
    );
  }
  return { sha256: hash.digest('hex'), quantisesBatch };
}

async function hashConfigs(folder: string, moduleFiles: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const name of [...configFiles, ...moduleFiles]) {
    const content = await readFile(join(folder, name)).catch(() => undefined);
    // Named and measured, so that no two sets of files have one hash; an absent file counts as absent.
    if (content !== undefined) hash.update(`${name}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

function positiveInteger(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : undefined;
}
