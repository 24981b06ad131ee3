import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EmbatchError } from '../core/errors.js';
import type { ModelLocation } from './model/load-model.js';

/** Models that come with the package, by name. */
export const bundledModels = ['all-MiniLM-L6-v2'] as const;

const BUNDLED_FOLDER = fileURLToPath(new URL('../../models/', import.meta.url));

/** Where a model reference points: a bundled name, or a folder. Error: MODEL. */
export async function findModelFolder(ref: string): Promise<ModelLocation> {
  const isBundled = (bundledModels as readonly string[]).includes(ref);
  const folder = isBundled ? join(BUNDLED_FOLDER, ref) : resolve(ref);
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true) {
    throw new EmbatchError(
      'MODEL',
      `there is no model ${ref}: neither bundled (${bundledModels.join(', ')}) nor a folder at ${folder}.`,
    );
  }
  return { id: isBundled ? ref : basename(folder), revision: null, folder };
}
