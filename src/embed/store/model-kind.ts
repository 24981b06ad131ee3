import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';

/** What the small files of a model say of which large ones it needs. */
export interface ModelKind {
  /** Folders of the modules, relative, without slashes at the ends; empty for the model's own. */
  readonly modules: readonly { readonly folder: string; readonly type: string }[];
  /** Text in, table of vectors out: needs no graph. */
  readonly isStatic: boolean;
  /** Its files say that it is a network, which only a graph can run here. */
  readonly isNetwork: boolean;
}

/** Reads `modules.json` and `config.json`. What cannot be read counts as absent: whoever loads the model refuses it. */
export async function readModelKind(folder: string): Promise<ModelKind> {
  const [list, config] = await Promise.all([
    readJson(join(folder, 'modules.json')),
    readJson(join(folder, 'config.json')),
  ]);
  const modules = (Array.isArray(list) ? (list as unknown[]) : []).flatMap((entry) => {
    const { path, type } = (entry ?? {}) as Record<string, unknown>;
    if (typeof path !== 'string' || typeof type !== 'string') return [];
    const normal = posix.normalize(path).replace(/\/+$/, '');
    return [{ folder: normal === '.' ? '' : normal, type: type.split('.').at(-1) ?? '' }];
  });
  const modelType = (config as Record<string, unknown> | undefined)?.['model_type'];
  const isModel2vec = modules.length === 0 && modelType === 'model2vec';
  return {
    modules,
    isStatic: isModel2vec || modules.some(({ type }) => type === 'StaticEmbedding'),
    isNetwork:
      modules.some(({ type }) => type === 'Transformer') ||
      (modules.length === 0 && typeof modelType === 'string' && !isModel2vec),
  };
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown;
  } catch {
    return undefined;
  }
}
