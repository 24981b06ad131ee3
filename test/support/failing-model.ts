import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { testData } from './paths.js';

/** A model whose graph fails at run time, in ONNX Runtime itself, on a text of more than 32 tokens; its folder. */
export async function writeFailingModel(folder: string): Promise<string> {
  const model = join(folder, 'failing-model');
  await cp(testData('models/graph-int32'), model, { recursive: true });
  // Cut at half of what it says that it takes.
  await rm(join(model, 'reference.json'));
  await edit(join(model, 'config.json'), '"max_position_embeddings": 32', '"max_position_embeddings": 64');
  // One token instead of five: what every run embeds first, to try the model, must pass.
  await edit(join(model, 'tokenizer.json'), '"vector"', '"quick"');
  return model;
}

async function edit(file: string, from: string, to: string): Promise<void> {
  const content = await readFile(file, 'utf8');
  if (!content.includes(from)) throw new Error(`${file} has no ${from}`);
  await writeFile(file, content.replace(from, to));
}
