import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbatchError, describeError } from '../core/errors.js';
import { readJson } from './json-file.js';
import { poolingModes, type PoolingMode } from './pooling.js';

export interface Modules {
  readonly pooling: readonly PoolingMode[];
  readonly normalize: boolean;
  /** The configuration files that were read, relative to the model folder. */
  readonly files: readonly string[];
}

/**
 * Reads the steps after the transformer from `modules.json`, with old and new type names and both formats of
 * the pooling configuration. Any other step is refused by name. Error: MODEL.
 */
export async function readModules(folder: string): Promise<Modules> {
  const files: string[] = [];
  let pooling: readonly PoolingMode[] | undefined;
  let normalize = false;
  for (const { type, path } of await moduleList(folder)) {
    // Two generations of dotted Python names end in the same class.
    switch (type.split('.').at(-1)) {
      case 'Transformer':
        break;
      case 'Pooling': {
        const file = join(path, 'config.json');
        files.push(file);
        pooling = parsePooling(await readJson(folder, file), join(folder, file));
        break;
      }
      case 'Normalize':
        normalize = true;
        break;
      default:
        throw new EmbatchError(
          'MODEL',
          `${join(folder, 'modules.json')} has a module ${type}, which this version does not know. Its vectors ` +
            'would be wrong without it; use a model of Transformer, Pooling and Normalize.',
        );
    }
  }
  if (pooling === undefined) {
    throw new EmbatchError(
      'MODEL',
      `${join(folder, 'modules.json')} has no Pooling module, so there is no vector.`,
    );
  }
  return { pooling, normalize, files };
}

async function moduleList(folder: string): Promise<{ type: string; path: string }[]> {
  const file = join(folder, 'modules.json');
  try {
    return JSON.parse(await readFile(file, 'utf8')) as { type: string; path: string }[];
  } catch (error) {
    throw new EmbatchError(
      'MODEL',
      `${file} cannot be read (${describeError(error)}): it says how hidden states become a vector.`,
      { cause: error },
    );
  }
}

const legacyFlags: Readonly<Record<PoolingMode, string>> = {
  cls: 'pooling_mode_cls_token',
  max: 'pooling_mode_max_tokens',
  mean: 'pooling_mode_mean_tokens',
  mean_sqrt_len_tokens: 'pooling_mode_mean_sqrt_len_tokens',
  weightedmean: 'pooling_mode_weightedmean_tokens',
  lasttoken: 'pooling_mode_lasttoken',
};

function parsePooling(config: Record<string, unknown>, file: string): readonly PoolingMode[] {
  if (config['include_prompt'] === false) {
    throw new EmbatchError(
      'MODEL',
      `${file} leaves the prompt out of pooling, which this version cannot do.`,
    );
  }
  const named = config['pooling_mode'];
  if (named === undefined) {
    const set = poolingModes.filter((mode) => config[legacyFlags[mode]] === true);
    return set.length > 0 ? set : ['mean'];
  }
  const names = (Array.isArray(named) ? named : [named]) as unknown[];
  const unknown = names.find((name) => !(poolingModes as readonly unknown[]).includes(name));
  if (unknown !== undefined) {
    throw new EmbatchError(
      'MODEL',
      `${file} asks for pooling ${JSON.stringify(unknown)}; known are ${poolingModes.join(', ')}.`,
    );
  }
  return names as PoolingMode[];
}
