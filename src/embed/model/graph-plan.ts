import { EmbatchError } from '../../core/errors.js';
import type { Precision } from '../graph-choice.js';
import { dataTypes, type GraphValue, type OnnxFile } from '../onnx-file.js';
import type { GraphEncoder, GraphInput, Step } from './model.js';
import { positiveInteger } from './step-config.js';

type Config = Readonly<Record<string, unknown>>;

export interface GraphFacts {
  readonly file: string;
  readonly onnx: OnnxFile;
  readonly config: Config;
  readonly tokenizerConfig: Config;
  readonly steps: readonly Step[];
  /** A modules.json says what becomes of token vectors. */
  readonly declared: boolean;
}

export interface GraphPlan {
  readonly encoder: GraphEncoder;
  /** What is left to do: a graph that pools has done the rest of it. */
  readonly steps: readonly Step[];
}

const hiddenOutputs = ['last_hidden_state', 'token_embeddings'];
const pooledOutputs = ['sentence_embedding'];
/** CLIP projects its pooled text into the space that it shares with images. */
const clipOutputs = ['text_embeds'];

/**
 * Decides how a graph is fed and what is read from it. Every input and output must be understood: one that is not
 * is refused by name. Error: MODEL.
 */
export function planGraph(facts: GraphFacts): GraphPlan {
  const { file, onnx, config, steps, declared } = facts;
  const inputs = onnx.inputs.map((value) => planInput(value, facts));
  for (const needed of ['ids', 'mask'] as const) {
    if (!inputs.some(({ kind }) => kind === needed)) {
      const name = needed === 'ids' ? 'input_ids' : 'attention_mask';
      throw new EmbatchError('MODEL', `${file} has no input ${name}; it has ${names(onnx.inputs)}.`);
    }
  }
  const hidden = find(onnx, hiddenOutputs);
  const pooled = find(onnx, isClip(config) ? clipOutputs : pooledOutputs);
  // Where modules.json says what to do with token vectors, that is the authors' word, in full precision.
  const output = declared ? (hidden ?? pooled) : (pooled ?? hidden);
  if (output === undefined) {
    throw new EmbatchError(
      'MODEL',
      `${file} has outputs ${names(onnx.outputs)}; needed is one of ${[...hiddenOutputs, ...pooledOutputs].join(', ')}.`,
    );
  }
  if (output.type !== dataTypes.float && output.type !== dataTypes.float16) {
    throw new EmbatchError(
      'MODEL',
      `${file} gives ${output.name} as ONNX data type ${output.type}; float32 or float16 is needed.`,
    );
  }
  const isPooled = output === pooled;
  if (isPooled && steps.some((step) => step.kind === 'pooling' && !step.includePrompt)) {
    throw new EmbatchError(
      'MODEL',
      `${file} pools inside, all tokens of it, and the model's Pooling leaves out the prompt (include_prompt): a graph with ` +
        'last_hidden_state is needed.',
    );
  }
  const rest = isPooled ? afterPooledGraph(steps, config) : steps;
  const width = outputWidth(output, isPooled, facts);
  return {
    encoder: {
      kind: 'graph',
      file,
      inputs,
      output: output.name,
      pooled: isPooled,
      width,
      paddingSide: paddingSide(isPooled, facts.tokenizerConfig),
      paddingId: paddingId(config),
    },
    steps: rest,
  };
}

/**
 * Exports with a pooled output contain all modules of the model. Normalising once more changes nothing, and mends
 * those exports that leave it out.
 */
function afterPooledGraph(steps: readonly Step[], config: Config): readonly Step[] {
  const normalizes = steps.some(({ kind }) => kind === 'normalize') || isClip(config);
  return normalizes ? [{ kind: 'normalize' }] : [];
}

const isClip = (config: Config): boolean => String(config['model_type']).includes('clip');

const names = (values: readonly GraphValue[]): string =>
  values.map(({ name }) => name).join(', ') || 'nothing';

const find = (onnx: OnnxFile, wanted: readonly string[]): GraphValue | undefined =>
  wanted
    .map((name) => onnx.outputs.find((value) => value.name === name))
    .find((value) => value !== undefined);

/** The largest width that is taken for real, far above those of any model. */
const MAX_WIDTH = 2 ** 20;

/** Width of the output as the graph says it, or else as config.json does; they must not contradict each other. */
function outputWidth(output: GraphValue, pooled: boolean, { file, config, steps }: GraphFacts): number {
  const inGraph = output.shape.at(-1);
  const hidden = ['hidden_size', 'd_model', 'n_embd', 'dim']
    .map((key) => positiveInteger(config[key]))
    .find((value) => value !== undefined);
  const said = pooled ? (lastWidth(steps) ?? positiveInteger(config['projection_dim'])) : hidden;
  const rank = pooled ? 2 : 3;
  if (output.shape.length > 0 && output.shape.length !== rank) {
    throw new EmbatchError(
      'MODEL',
      `${file} gives ${output.name} as [${output.shape.map((size) => size ?? '?').join(', ')}]; ${rank} axes are needed.`,
    );
  }
  if (typeof inGraph === 'number' && said !== undefined && inGraph !== said) {
    throw new EmbatchError(
      'MODEL',
      `${file} gives ${output.name} ${inGraph} wide, the model's configuration says ${said}: graph and configuration ` +
        'belong to different models.',
    );
  }
  const width = typeof inGraph === 'number' ? inGraph : (said ?? hidden);
  if (width !== undefined && width > MAX_WIDTH) {
    throw new EmbatchError('MODEL', `${file} is said to give vectors of width ${width}; no model does.`);
  }
  if (width !== undefined) return width;
  throw new EmbatchError(
    'MODEL',
    `neither ${file} nor config.json (hidden_size) says how wide its output is.`,
  );
}

function lastWidth(steps: readonly Step[]): number | undefined {
  const dense = steps.filter((step) => step.kind === 'dense').at(-1);
  return dense?.outFeatures;
}

/**
 * Graphs that pool inside read the last position as the last token where the tokenizer pads on the left. All others
 * are padded on the right: then a row's own positions are the same in any batch, and so is its vector
 * (docs/decisions/padding-side.md).
 */
function paddingSide(pooled: boolean, tokenizerConfig: Config): 'left' | 'right' {
  return pooled && tokenizerConfig['padding_side'] === 'left' ? 'left' : 'right';
}

/** Any id of the table will do, since padding is masked. */
function paddingId(config: Config): number {
  return positiveInteger(config['pad_token_id']) ?? 0;
}

const idInputs = {
  input_ids: 'ids',
  attention_mask: 'mask',
  token_type_ids: 'types',
  position_ids: 'positions',
} as const;

function planInput(value: GraphValue, facts: GraphFacts): GraphInput {
  const { name, type } = value;
  if (name in idInputs) {
    const kind = idInputs[name as keyof typeof idInputs];
    if (type === dataTypes.int64) return { kind, name, type: 'int64' };
    if (type === dataTypes.int32) return { kind, name, type: 'int32' };
    throw badType(value, facts, 'int64 or int32');
  }
  if (/^past(_key_values)?[._]\d+[._](key|value)s?$/.test(name)) return planPast(value, facts);
  if (name === 'use_cache_branch') return { kind: 'no-cache', name };
  if (name === 'task_id') {
    if (type !== dataTypes.int64) throw badType(value, facts, 'int64');
    return { kind: 'task', name, rank: value.shape.length === 0 ? 0 : 1, ...taskIds(facts.config) };
  }
  throw new EmbatchError(
    'MODEL',
    `${facts.file} has an input ${name} that is not known here; known are ${Object.keys(idInputs).join(', ')}, ` +
      'past_key_values.N.key and .value, and task_id.',
  );
}

function badType({ name, type }: GraphValue, { file }: GraphFacts, wanted: string): EmbatchError {
  return new EmbatchError('MODEL', `${file} takes ${name} as ONNX data type ${type}; ${wanted} is needed.`);
}

function planPast(value: GraphValue, facts: GraphFacts): GraphInput {
  const { config } = facts;
  const first = (keys: readonly string[]): number | undefined =>
    keys.map((key) => positiveInteger(config[key])).find((found) => found !== undefined);
  const allHeads = first(['num_attention_heads', 'n_head']);
  const hidden = first(['hidden_size', 'n_embd']);
  const [, headsInGraph, , sizeInGraph] = value.shape;
  const heads =
    typeof headsInGraph === 'number' ? headsInGraph : (first(['num_key_value_heads']) ?? allHeads);
  const headSize =
    typeof sizeInGraph === 'number'
      ? sizeInGraph
      : (first(['head_dim']) ??
        (hidden === undefined || allHeads === undefined ? undefined : positiveInteger(hidden / allHeads)));
  if (heads === undefined || headSize === undefined) {
    throw new EmbatchError(
      'MODEL',
      `${facts.file} takes ${value.name}, and config.json does not say how many heads of what size it has ` +
        '(num_key_value_heads, head_dim).',
    );
  }
  if (value.type !== dataTypes.float && value.type !== dataTypes.float16) {
    throw badType(value, facts, 'float32 or float16');
  }
  const type = value.type === dataTypes.float ? 'float32' : 'float16';
  return { kind: 'past', name: value.name, type, heads, headSize };
}

/** jina-embeddings-v3 lists its adapters in config.json; its own numbers where it does not. */
function taskIds(config: Config): { document: number; query: number } {
  const adapters = Array.isArray(config['lora_adaptations']) ? (config['lora_adaptations'] as unknown[]) : [];
  const id = (name: string, fallback: number): number => {
    const index = adapters.indexOf(name);
    return index === -1 ? fallback : index;
  };
  return { document: id('retrieval.passage', 1), query: id('retrieval.query', 0) };
}

/** Operators that multiply, or restore, weights of eight bits. */
const byteOperators = [
  'MatMulInteger',
  'MatMulIntegerToFloat',
  'DynamicQuantizeMatMul',
  'DynamicQuantizeLSTM',
  'QLinearMatMul',
  'QGemm',
  'QAttention',
  'DequantizeLinear',
];

/**
 * What the weights are stored as; the name of a file promises, its content decides. A graph that multiplies in eight
 * bits is no fp32 one, however large the table of tokens is that was left in fp32.
 */
export function storedPrecision(onnx: OnnxFile): Precision {
  const count = (type: number): number => onnx.elements.get(type) ?? 0;
  if (onnx.operators.has('MatMulNBits')) return count(dataTypes.float16) > 0 ? 'q4f16' : 'q4';
  if (onnx.operators.has('MatMulBnb4')) return 'bnb4';
  const bytes = count(dataTypes.int8) + count(dataTypes.uint8);
  const floats = count(dataTypes.float) + count(dataTypes.float16);
  const computesInBytes = bytes > 0 && byteOperators.some((operator) => onnx.operators.has(operator));
  if (computesInBytes || bytes > floats) return count(dataTypes.int8) > 0 ? 'int8' : 'uint8';
  return count(dataTypes.float16) > count(dataTypes.float) ? 'fp16' : 'fp32';
}

/** Operators that scale activations by their largest value in the whole batch. */
const batchQuantisers = ['DynamicQuantizeLinear', 'DynamicQuantizeMatMul', 'DynamicQuantizeLSTM'];

/** Whether a text's vector may depend on the texts it is batched with. */
export function quantisesBatch(onnx: OnnxFile): boolean {
  return batchQuantisers.some((operator) => onnx.operators.has(operator));
}
