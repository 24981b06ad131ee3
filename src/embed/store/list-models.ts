import { readdir, readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { compareUtf8 } from '../../core/bytes-order.js';
import { bundledFolder, bundledModels } from './bundled.js';
import { s3CacheFolder } from './cache-folder.js';
import type { RemoteFile } from './choose-files.js';
import { hubCacheFolder } from './hub-settings.js';
import { readModelKind } from './model-kind.js';
import { DEFAULT_REVISION, formatHubRef } from './model-ref.js';
import { readS3Listing } from './s3-model.js';
import { folderFiles } from './snapshot-files.js';

export interface ListedModel {
  /** What `--model` takes. */
  readonly ref: string;
  /** The commit of a model from the hub; else null. */
  readonly revision: string | null;
  /** Absolute. */
  readonly folder: string;
  /** Of all files in the folder, also those that a run does not need. */
  readonly bytes: number;
}

/** The models on this machine that a run needs no network for: bundled ones, then those in the caches, by name. */
export async function listModels(): Promise<ListedModel[]> {
  const bundled = await Promise.all(
    bundledModels.map(async (ref) => {
      const folder = bundledFolder(ref);
      return { ref, revision: null, folder, bytes: byteCount(await folderFiles(folder)) };
    }),
  );
  const cached = [...(await hubModels(hubCacheFolder())), ...(await s3Models(s3CacheFolder()))];
  return [...bundled, ...cached.sort((a, b) => compareUtf8(a.ref, b.ref))];
}

async function hubModels(cache: string): Promise<ListedModel[]> {
  const found: ListedModel[] = [];
  for (const name of await names(cache)) {
    if (!name.startsWith('models--')) continue;
    const id = name.slice('models--'.length).split('--').join('/');
    const refs = await revisions(join(cache, name, 'refs'));
    for (const commit of await names(join(cache, name, 'snapshots'))) {
      const folder = join(cache, name, 'snapshots', commit);
      const files = await folderFiles(folder);
      if (!(await isUsable(folder, files))) continue;
      const of = refs.filter((ref) => ref.commit === commit).map(({ revision }) => revision);
      const revision = of.includes(DEFAULT_REVISION) ? DEFAULT_REVISION : (of[0] ?? commit);
      found.push({ ref: formatHubRef({ id, revision }), revision: commit, folder, bytes: byteCount(files) });
    }
  }
  return found;
}

/** What the cache knows of branches and tags; their names may hold slashes. */
async function revisions(folder: string): Promise<{ revision: string; commit: string }[]> {
  const files = (await folderFiles(folder)).filter(({ path }) => !path.endsWith('.tmp'));
  return await Promise.all(
    files.map(async ({ path }) => ({
      revision: path,
      commit: (await readFile(join(folder, path), 'utf8').catch(() => '')).trim(),
    })),
  );
}

async function s3Models(cache: string): Promise<ListedModel[]> {
  const found: ListedModel[] = [];
  for (const uri of await names(cache)) {
    for (const version of await names(join(cache, uri))) {
      const folder = join(cache, uri, version);
      const listing = await readS3Listing(`${folder}.json`);
      const files = await folderFiles(folder);
      if (listing === undefined || !(await isUsable(folder, files))) continue;
      found.push({ ref: listing.uri, revision: null, folder, bytes: byteCount(files) });
    }
  }
  return found;
}

/** The caches hold all sorts of models: those for embedding have a tokenizer, and a graph or a table. */
async function isUsable(folder: string, files: readonly RemoteFile[]): Promise<boolean> {
  const has = (name: string): boolean => files.some(({ path }) => posix.basename(path) === name);
  if (!has('tokenizer.json')) return false;
  if (files.some(({ path }) => path.endsWith('.onnx'))) return true;
  return has('model.safetensors') && (await readModelKind(folder)).isStatic;
}

function byteCount(files: readonly RemoteFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

async function names(folder: string): Promise<string[]> {
  return (await readdir(folder).catch((): string[] => [])).sort(compareUtf8);
}
