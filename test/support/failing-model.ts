import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { testData } from './paths.js';

/** Tokens from which on the model fails: it says that it takes twice as many. */
export const FAILING_TOKENS = 33;

/** A model whose graph fails at run time, in ONNX Runtime itself, on a text of more tokens; its folder. */
export async function writeFailingModel(folder: string): Promise<string> {
  const model = join(folder, 'failing-model');
  await cp(testData('models/graph-int32'), model, { recursive: true });
  const file = join(model, 'config.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  await writeFile(file, JSON.stringify({ ...config, max_position_embeddings: (FAILING_TOKENS - 1) * 2 }));
  return model;
}
