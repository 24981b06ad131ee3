import { join, posix } from 'node:path';
import { EmbatchError } from '../../core/errors.js';
import { readJson, readJsonIfAny } from './json-file.js';
import type { KnownModel } from './known-models.js';
import type { PoolingMode } from '../compute/pooling.js';
import type { Step } from './model.js';
import { parseDense, parseLayerNorm, parsePooling, refuseOtherInput } from './step-config.js';

export interface Modules {
  /** What makes token vectors. */
  readonly encoder: 'transformer' | 'static';
  /** Folder of the encoder's files, relative to the model's. */
  readonly path: string;
  readonly steps: readonly Step[];
  /** Where the steps come from. */
  readonly origin: string;
  /** True where a modules.json says so; else they are a convention. */
  readonly declared: boolean;
  /** Configuration files that were read, relative to the model folder. */
  readonly files: readonly string[];
  readonly notices: readonly string[];
}

/**
 * Reads what happens to a text from `modules.json`: an encoder, and the steps after it. Python's class names come in
 * two generations that end alike. Without the file: what the model's card says, else what sentence-transformers
 * itself assumes, with a notice. A module that is not understood is refused by name. Error: MODEL.
 */
export async function readModules(folder: string, known: KnownModel | undefined): Promise<Modules> {
  const list = await readJsonIfAny(folder, 'modules.json');
  if (list === undefined) return assumedModules(folder, known);
  const file = join(folder, 'modules.json');
  if (!Array.isArray(list) || list.length === 0) {
    throw new EmbatchError('MODEL', `${file} is not a list of modules.`);
  }
  const files = ['modules.json'];
  const notices: string[] = [];
  const steps: Step[] = [];
  let encoder: Modules['encoder'] | undefined;
  let encoderPath = '';
  for (const [index, entry] of (list as unknown[]).entries()) {
    const { type, path } = parseEntry(entry, index, file);
    const name = type.split('.').at(-1) ?? '';
    if (index === 0) {
      if (name !== 'Transformer' && name !== 'StaticEmbedding') throw unknownModule(file, type);
      encoder = name === 'Transformer' ? 'transformer' : 'static';
      encoderPath = path;
      if (!type.startsWith('sentence_transformers.')) {
        notices.push(`modules.json names code of its own, ${type}; it is taken for a plain ${name}.`);
      }
      continue;
    }
    const step = await readStep({ folder, file, type, name, path });
    if (step !== undefined) steps.push(step);
    files.push(posix.join(path, 'config.json'));
  }
  checkOrder(file, encoder, steps);
  return {
    encoder: encoder ?? 'transformer',
    path: encoderPath,
    steps,
    origin: 'modules.json',
    declared: true,
    files,
    notices,
  };
}

interface ModuleEntry {
  readonly folder: string;
  readonly file: string;
  readonly type: string;
  readonly name: string;
  readonly path: string;
}

async function readStep({ folder, file, type, name, path }: ModuleEntry): Promise<Step | undefined> {
  const configFile = join(path, 'config.json');
  switch (name) {
    case 'Pooling':
      return parsePooling(await readJson(folder, configFile), join(folder, configFile));
    case 'Dense':
      return parseDense(await readJson(folder, configFile), join(folder, path));
    case 'LayerNorm':
      return parseLayerNorm(await readJson(folder, configFile), join(folder, path));
    case 'Normalize':
      // Often an empty folder, or none at all.
      refuseOtherInput(
        await readJson(folder, configFile, { optional: true }),
        join(folder, configFile),
        'Normalize',
      );
      return { kind: 'normalize' };
    case 'Dropout':
      // Only does something while a model is trained.
      return undefined;
    default:
      throw unknownModule(file, type);
  }
}

function parseEntry(entry: unknown, index: number, file: string): { type: string; path: string } {
  const { type, path = '' } = (entry ?? {}) as { type?: unknown; path?: unknown };
  if (typeof type !== 'string' || typeof path !== 'string') {
    throw new EmbatchError('MODEL', `${file}: module ${index} has no type and path.`);
  }
  if (path.startsWith('/') || path.split(/[\\/]/).includes('..')) {
    throw new EmbatchError('MODEL', `${file}: the path ${path} leads out of the model's folder.`);
  }
  return { type, path };
}

function unknownModule(file: string, type: string): EmbatchError {
  return new EmbatchError(
    'MODEL',
    `${file} has a module ${type} that is not known here, and its vectors would be wrong without it. Known are ` +
      'Transformer or StaticEmbedding first, then Pooling, Dense, LayerNorm, Normalize and Dropout.',
  );
}

function checkOrder(file: string, encoder: Modules['encoder'] | undefined, steps: readonly Step[]): void {
  const poolings = steps.filter(({ kind }) => kind === 'pooling').length;
  if (encoder === 'static') {
    if (poolings > 0)
      throw new EmbatchError('MODEL', `${file} pools what StaticEmbedding has averaged already.`);
    return;
  }
  if (poolings !== 1 || steps[0]?.kind !== 'pooling') {
    throw new EmbatchError(
      'MODEL',
      `${file} has ${poolings} Pooling modules${poolings === 1 ? ', and not right after the Transformer' : ''}; one is ` +
        'needed there to make one vector of many.',
    );
  }
}

/** sentence-transformers' own convention for folders without modules.json; what the model's card says comes first. */
async function assumedModules(folder: string, known: KnownModel | undefined): Promise<Modules> {
  const base = { path: '', declared: false, files: [] } as const;
  const config = await readJson(folder, 'config.json', { optional: true });
  if (config['model_type'] === 'model2vec' || config['embedding_dtype'] !== undefined) {
    return { ...base, encoder: 'static', steps: [], origin: 'config.json of model2vec', notices: [] };
  }
  const pooled = (mode: PoolingMode): Step => ({
    kind: 'pooling',
    modes: [mode],
    includePrompt: true,
  });
  const normalize: readonly Step[] = [{ kind: 'normalize' }];
  if (known?.pooling !== undefined) {
    return {
      ...base,
      encoder: 'transformer',
      steps: [pooled(known.pooling), ...(known.normalize === true ? normalize : [])],
      origin: "the model's card; it has no modules.json",
      notices: [],
    };
  }
  const [architecture] = Array.isArray(config['architectures']) ? (config['architectures'] as unknown[]) : [];
  const isCausal = String(architecture).endsWith('ForCausalLM') && config['is_causal'] !== false;
  const mode = isCausal ? 'lasttoken' : 'mean';
  return {
    ...base,
    encoder: 'transformer',
    steps: [pooled(mode)],
    origin: 'convention of sentence-transformers; there is no modules.json',
    notices: [
      `${folder} has no modules.json, so nothing says how its token vectors become one: ${mode} pooling without ` +
        'normalisation is assumed, as sentence-transformers does. Add the modules.json of its authors to be sure.',
    ],
  };
}
