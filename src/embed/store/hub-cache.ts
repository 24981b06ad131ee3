import { copyFile, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { describeError, systemErrorCode } from '../../core/errors.js';
import type { Logger } from '../../core/interfaces.js';
import { makeFolder } from '../../core/make-folder.js';
import type { HubFile } from './hub-files.js';
import { readTreeEntry } from './hub-files.js';
import { uniqueName, writeAtomically, writing } from './store-files.js';

/**
 * One model in the cache that all tools of the hub share:
 *
 *   models--org--name/refs/main                  the commit that the revision stood for
 *                     blobs/<hash>               contents
 *                     snapshots/<commit>/<path>  links to contents
 *                     trees/<commit>.json        the files that the commit has
 *
 * Source: huggingface_hub, "Understand caching", `file_download.py`, `_tree_cache.py`.
 */
export interface HubCache {
  readonly folder: string;
  /** The commit that a revision was last found to be; a commit stands for itself. */
  commit(revision: string): Promise<string | undefined>;
  /** Error: MODEL. */
  rememberCommit(revision: string, commit: string): Promise<void>;
  snapshot(commit: string): string;
  blob(hash: string): string;
  /** The files of a commit, where anyone has noted them. */
  tree(commit: string): Promise<HubFile[] | undefined>;
  /** A cache that cannot be written to is no failure: it may hold all that is needed. */
  rememberTree(commit: string, files: readonly HubFile[], log: Logger): Promise<void>;
  /** Makes a path of a snapshot lead to a blob; a copy where links are not to be had. Error: MODEL. */
  link(commit: string, path: string, hash: string): Promise<void>;
}

const COMMIT = /^[0-9a-f]{40}$/;
const TREE_FORMAT = 1;

export function openHubCache(cacheFolder: string, id: string): HubCache {
  const folder = join(cacheFolder, ['models', ...id.split('/')].join('--'));
  const refFile = (revision: string): string => join(folder, 'refs', ...revision.split('/'));
  const treeFile = (commit: string): string => join(folder, 'trees', `${commit}.json`);
  const readCommit = async (revision: string): Promise<string | undefined> => {
    if (COMMIT.test(revision)) return revision;
    const text = await readFile(refFile(revision), 'utf8').catch(() => '');
    return COMMIT.test(text.trim()) ? text.trim() : undefined;
  };
  const cache: HubCache = {
    folder,
    commit: readCommit,

    async rememberCommit(revision, commit) {
      if ((await readCommit(revision)) !== commit) await writeAtomically(refFile(revision), commit);
    },

    snapshot: (commit) => join(folder, 'snapshots', commit),
    blob: (hash) => join(folder, 'blobs', hash),

    async tree(commit) {
      const text = await readFile(treeFile(commit), 'utf8').catch(() => undefined);
      return text === undefined ? undefined : parseTree(text);
    },

    async rememberTree(commit, files, log) {
      try {
        await writeAtomically(treeFile(commit), formatTree(files));
      } catch (error) {
        log.debug(`The list of files is not kept: ${describeError(error)}`);
      }
    },

    async link(commit, path, hash) {
      const blob = cache.blob(hash);
      const pointer = join(cache.snapshot(commit), ...path.split('/'));
      const target = relative(dirname(pointer), blob);
      if ((await readlink(pointer).catch(() => undefined)) === target) return;
      await writing(pointer, async () => {
        await makeFolder(dirname(pointer));
        const temporary = uniqueName(pointer, 'tmp');
        try {
          await symlink(target, temporary).catch(async (error: unknown) => {
            if (!cannotLink.includes(systemErrorCode(error))) throw error;
            await copyFile(blob, temporary);
          });
          await rename(temporary, pointer);
        } catch (error) {
          await rm(temporary, { force: true });
          throw error;
        }
      });
    },
  };
  return cache;
}

/** File systems without links, and Windows without the right to make them. */
const cannotLink: readonly (string | undefined)[] = ['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'];

interface TreeRecord {
  readonly size: number;
  readonly blob_id: string;
  readonly lfs_sha256?: string;
  readonly lfs_size?: number;
  readonly xet_hash?: string;
}

function formatTree(files: readonly HubFile[]): string {
  const records = files.map(({ path, size, hash, gitId, xetHash }): [string, TreeRecord] => [
    path,
    {
      size,
      // Where only the headers of a file were known there is no id of its pointer.
      blob_id: gitId ?? hash.value,
      ...(hash.kind === 'sha256' ? { lfs_sha256: hash.value, lfs_size: size } : {}),
      ...(xetHash === undefined ? {} : { xet_hash: xetHash }),
    },
  ]);
  return JSON.stringify({ format_version: TREE_FORMAT, files: Object.fromEntries(records) }, null, 2);
}

/** undefined for anything but a list of this format with sizes, hashes and safe paths: it is then fetched anew. */
function parseTree(text: string): HubFile[] | undefined {
  try {
    const { format_version: format, files } = JSON.parse(text) as Record<string, unknown>;
    if (format !== TREE_FORMAT) return undefined;
    const found: HubFile[] = [];
    for (const [path, record] of Object.entries(files as Record<string, Partial<TreeRecord>>)) {
      const { lfs_sha256: oid, lfs_size: size } = record;
      const lfs = typeof oid === 'string' ? { lfs: { oid, size } } : {};
      const raw = { type: 'file', path, size: record.size, oid: record.blob_id, xetHash: record.xet_hash };
      const entry = readTreeEntry({ ...raw, ...lfs });
      if (entry?.hash === undefined || entry.size === undefined) return undefined;
      found.push({ ...entry, hash: entry.hash, size: entry.size });
    }
    return found;
  } catch {
    return undefined;
  }
}
