import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EmbatchError } from '../core/errors.js';

export interface ModelLocation {
  readonly id: string;
  /** Absolute. */
  readonly folder: string;
}

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
  return { id: isBundled ? ref : basename(folder), folder };
}

/** In order of preference; the first that is there is used. */
const graphNames = ['model.onnx', 'model_int8_rowwise.onnx', 'model_quantized.onnx'];

/** The ONNX file of a model folder, under `onnx/` or at its root. Error: MODEL. */
export async function findGraph(folder: string): Promise<string> {
  const candidates = (await Promise.all(['onnx', '.'].map((sub) => onnxFiles(join(folder, sub))))).flat();
  const preferred = graphNames.flatMap((name) => candidates.filter((file) => basename(file) === name));
  const graph = preferred[0] ?? (candidates.length === 1 ? candidates[0] : undefined);
  if (graph !== undefined) return graph;
  throw new EmbatchError(
    'MODEL',
    candidates.length === 0
      ? `${folder} holds no ONNX file, neither in onnx/ nor at its root.`
      : `${folder} holds several ONNX files and none of the names ${graphNames.join(', ')}: ` +
          candidates.map((file) => basename(file)).join(', '),
  );
}

async function onnxFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => name.endsWith('.onnx'))
    .sort()
    .map((name) => join(folder, name));
}
