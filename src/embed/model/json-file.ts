import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbatchError, describeError } from '../../core/errors.js';
import { refuseStandIn } from '../stand-in.js';

/** Reads a model's JSON object; `{}` where it is optional and absent. Error: MODEL. */
export async function readJson(
  folder: string,
  name: string,
  options: { readonly optional?: boolean } = {},
): Promise<Record<string, unknown>> {
  const value = await readJsonIfAny(folder, name);
  if (value === undefined) {
    if (options.optional === true) return {};
    throw new EmbatchError('MODEL', `${join(folder, name)} is missing.`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new EmbatchError('MODEL', `${join(folder, name)} is not a JSON object.`);
}

/** Any JSON value; undefined where there is no such file. Error: MODEL. */
export async function readJsonIfAny(folder: string, name: string): Promise<unknown> {
  const file = join(folder, name);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw new EmbatchError('MODEL', `${file} cannot be read: ${describeError(error)}`, { cause: error });
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    refuseStandIn(file, text);
    throw new EmbatchError(
      'MODEL',
      `${file} is not JSON (${describeError(error)}): fetch it again, or correct it.`,
      {
        cause: error,
      },
    );
  }
}
