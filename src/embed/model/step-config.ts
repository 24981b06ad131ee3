import { join } from 'node:path';
import { EmbatchError } from '../../core/errors.js';
import { activations, type Activation } from '../compute/activations.js';
import { poolingModes, type PoolingMode } from '../compute/pooling.js';
import type { Step } from './model.js';

type Config = Readonly<Record<string, unknown>>;

const legacyFlags: Readonly<Record<PoolingMode, string>> = {
  cls: 'pooling_mode_cls_token',
  max: 'pooling_mode_max_tokens',
  mean: 'pooling_mode_mean_tokens',
  mean_sqrt_len_tokens: 'pooling_mode_mean_sqrt_len_tokens',
  weightedmean: 'pooling_mode_weightedmean_tokens',
  lasttoken: 'pooling_mode_lasttoken',
};

/** Both formats: `pooling_mode` (one name or a list), and the older flags, none of which means mean. Error: MODEL. */
export function parsePooling(config: Config, file: string): Step & { kind: 'pooling' } {
  const includePrompt = config['include_prompt'] ?? true;
  if (typeof includePrompt !== 'boolean') {
    throw new EmbatchError(
      'MODEL',
      `${file}: include_prompt is ${JSON.stringify(includePrompt)}, not true or false.`,
    );
  }
  const named = config['pooling_mode'];
  if (named === undefined) {
    const flag = Object.keys(config).find(
      (key) =>
        key.startsWith('pooling_mode_') && config[key] === true && !Object.values(legacyFlags).includes(key),
    );
    if (flag !== undefined) throw unknownPooling(file, flag);
    const set = poolingModes.filter((mode) => config[legacyFlags[mode]] === true);
    return { kind: 'pooling', modes: set.length > 0 ? set : ['mean'], includePrompt };
  }
  const modes = (Array.isArray(named) ? named : [named]).map((mode: unknown) => {
    const known = poolingModes.find((name) => name === mode);
    if (known === undefined) throw unknownPooling(file, mode);
    return known;
  });
  if (modes.length === 0) throw unknownPooling(file, named);
  return { kind: 'pooling', modes, includePrompt };
}

function unknownPooling(file: string, mode: unknown): EmbatchError {
  return new EmbatchError(
    'MODEL',
    `${file} asks for pooling ${JSON.stringify(mode)}; known are ${poolingModes.join(', ')}.`,
  );
}

/** Widths that a pooling configuration claims for its input, under its new and its old name. */
export function claimedWidth(config: Config): unknown {
  return config['embedding_dimension'] ?? config['word_embedding_dimension'];
}

/** @param folder of the module, with its weights. Error: MODEL. */
export function parseDense(config: Config, folder: string): Step & { kind: 'dense' } {
  const file = join(folder, 'config.json');
  refuseOtherInput(config, file, 'Dense');
  const inFeatures = positiveInteger(config['in_features']);
  const outFeatures = positiveInteger(config['out_features']);
  if (inFeatures === undefined || outFeatures === undefined) {
    throw new EmbatchError('MODEL', `${file} needs in_features and out_features.`);
  }
  return {
    kind: 'dense',
    file: join(folder, 'model.safetensors'),
    inFeatures,
    outFeatures,
    bias: config['bias'] !== false,
    activation: parseActivation(config['activation_function'], file),
    residual: config['use_residual'] === true,
  };
}

/** Dotted names of torch's classes; without one it is sentence-transformers' default, tanh. */
function parseActivation(name: unknown, file: string): Activation {
  if (name === undefined) return 'tanh';
  if (name === null) return 'identity';
  const known = activations.find(
    (activation) =>
      typeof name === 'string' &&
      name.startsWith('torch.') &&
      name.split('.').at(-1)?.toLowerCase() === activation,
  );
  if (known !== undefined) return known;
  throw new EmbatchError(
    'MODEL',
    `${file} has the activation ${JSON.stringify(name)}; known are torch's ${activations.join(', ')}.`,
  );
}

/** @param folder of the module, with its weights. Error: MODEL. */
export function parseLayerNorm(config: Config, folder: string): Step & { kind: 'layer-norm' } {
  refuseOtherInput(config, join(folder, 'config.json'), 'LayerNorm');
  return { kind: 'layer-norm', file: join(folder, 'model.safetensors') };
}

/** Modules may be told to work on something else than the pooled vector, as late-interaction models do. */
export function refuseOtherInput(config: Config, file: string, module: string): void {
  for (const key of ['module_input_name', 'module_output_name']) {
    const name = config[key] ?? 'sentence_embedding';
    if (name === 'sentence_embedding') continue;
    throw new EmbatchError(
      'MODEL',
      `${file}: this ${module} works on ${JSON.stringify(name)} (${key}); only one vector per text, sentence_embedding, ` +
        'is supported here.',
    );
  }
}

export function positiveInteger(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : undefined;
}
