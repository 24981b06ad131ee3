import { basename } from 'node:path';
import { createTextEmbedder, type TextEmbedder } from '#embatch/embed/compute/text-embedder.js';
import { loadModel } from '#embatch/embed/model/load-model.js';
import { bundledFolder } from '#embatch/embed/store/bundled.js';
import type { Model, ModelOptions } from '#embatch/embed/model/model.js';

export function loadBundledModel(): Promise<Model> {
  return loadFolder(bundledFolder('all-MiniLM-L6-v2'));
}

export function loadFolder(folder: string, options: Partial<ModelOptions> = {}): Promise<Model> {
  return loadModel({ id: basename(folder), revision: null, folder }, { precision: 'auto', ...options });
}

export async function openFolder(
  folder: string,
  options: Partial<ModelOptions> = {},
): Promise<{ model: Model; embedder: TextEmbedder }> {
  const model = await loadFolder(folder, options);
  return { model, embedder: await createTextEmbedder(model, { batchTokens: 512 }) };
}
