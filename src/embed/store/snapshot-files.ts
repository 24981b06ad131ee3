import { readdir } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { GraphRequest } from '../graph-choice.js';
import type { RemoteFile } from './choose-files.js';
import { readModelKind } from './model-kind.js';
import { fileSize } from './store-files.js';
import { walkModel } from './walk-model.js';

/** The files below a folder, links followed, ascending by path; empty where there is no folder. */
export async function folderFiles(folder: string): Promise<RemoteFile[]> {
  const files: RemoteFile[] = [];
  const walk = async (below: string): Promise<void> => {
    const entries = await readdir(join(folder, below), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = posix.join(below, entry.name);
      if (entry.isDirectory()) await walk(path);
      else {
        const size = await fileSize(join(folder, path));
        if (size !== undefined) files.push({ path, size });
      }
    }
  };
  await walk('');
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * What a folder of unknown completeness lacks for a run, as far as its own files tell: an older tool fetched single
 * files and noted nowhere what else the model has. Error: MODEL for a model that cannot be run.
 */
export async function missingInFolder(
  name: string,
  folder: string,
  request: GraphRequest,
): Promise<string[]> {
  const files = await folderFiles(folder);
  const paths = new Set(files.map(({ path }) => path));
  const { modules, encoderFolder, isStatic } = await readModelKind(folder);
  const needed = [posix.join(encoderFolder, 'tokenizer.json')];
  // These are written together with modules.json only: without it the pooling would be guessed.
  const signs = [...paths].filter((path) =>
    /^(config_sentence_transformers|sentence_\w+_config)\.json$|^\d+_\w+\//.test(path),
  );
  if (modules.length === 0 && signs.length > 0) needed.push('modules.json');
  needed.push(posix.join(encoderFolder, isStatic ? 'model.safetensors' : 'config.json'));
  for (const module of modules) {
    if (module.folder !== '' && !withoutConfig.includes(module.type))
      needed.push(`${module.folder}/config.json`);
  }
  const missing = needed.filter((path) => !paths.has(path));
  if (missing.length === 0) await walkModel({ name, files, folder }, request, async () => true);
  return missing;
}

/** Module types that may well have no configuration. */
const withoutConfig: readonly string[] = ['Dropout', 'Normalize', 'StaticEmbedding', 'Transformer'];
