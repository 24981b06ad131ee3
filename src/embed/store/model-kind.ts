import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';

/** What the small files of a model say of which large ones it needs; as load-model.ts reads them. */
export interface ModelKind {
  /** The modules of `modules.json`; none where there is no such file. */
  readonly modules: readonly ModelModule[];
  /** Folder of the encoder's files, relative; empty for the model's own. */
  readonly encoderFolder: string;
  /** Its encoder is a table of vectors, which needs no graph. */
  readonly isStatic: boolean;
}

export interface ModelModule {
  /** Relative, without slashes at its ends; empty for the model's own. */
  readonly folder: string;
  /** The last word of its Python class. */
  readonly type: string;
}

/** Reads `modules.json` and `config.json`. What cannot be read counts as absent: whoever loads the model refuses it. */
export async function readModelKind(folder: string): Promise<ModelKind> {
  const list = await readJson(join(folder, 'modules.json'));
  const modules = (Array.isArray(list) ? (list as unknown[]) : []).flatMap((entry): ModelModule[] => {
    const { path = '', type } = (entry ?? {}) as Record<string, unknown>;
    if (typeof path !== 'string' || typeof type !== 'string') return [];
    const normal = posix.normalize(path).replace(/\/+$/, '');
    return [{ folder: normal === '.' ? '' : normal, type: type.split('.').at(-1) ?? '' }];
  });
  const [encoder] = modules;
  if (encoder !== undefined) {
    return { modules, encoderFolder: encoder.folder, isStatic: encoder.type === 'StaticEmbedding' };
  }
  const config = ((await readJson(join(folder, 'config.json'))) ?? {}) as Record<string, unknown>;
  const isStatic = config['model_type'] === 'model2vec' || config['embedding_dtype'] !== undefined;
  return { modules, encoderFolder: '', isStatic };
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown;
  } catch {
    return undefined;
  }
}
