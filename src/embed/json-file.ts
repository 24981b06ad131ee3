import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbatchError, describeError } from '../core/errors.js';

/** Reads a model's JSON file; `{}` where it is optional and absent. Error: MODEL. */
export async function readJson(
  folder: string,
  name: string,
  options: { readonly optional?: boolean } = {},
): Promise<Record<string, unknown>> {
  const file = join(folder, name);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (options.optional === true && (error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new EmbatchError('MODEL', `${file} cannot be read: ${describeError(error)}`, { cause: error });
  }
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new EmbatchError('MODEL', `${file} is not JSON: ${describeError(error)}`, { cause: error });
  }
}
