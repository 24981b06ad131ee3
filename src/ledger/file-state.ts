import { readFile, readdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { createFile, replaceFile } from '../core/durable-file.js';
import { EmbatchError, systemErrorCode } from '../core/errors.js';
import { explainFileError } from '../core/file-errors.js';
import type { Abortable, StateStore } from '../core/interfaces.js';
import { assertName } from './names.js';

/**
 * State in a folder, made when something is first put there. Entries are files; each is written beside its place,
 * flushed to disk, and moved there in one step.
 */
export function createFileState(folder: string): StateStore {
  const root = resolve(folder);
  const pathOf = (name: string): string => {
    assertName(name);
    return join(root, name);
  };

  return {
    uri: root,

    async get(name, { signal }: Abortable = {}) {
      const path = pathOf(name);
      signal?.throwIfAborted();
      try {
        return await readFile(path, { signal });
      } catch (error) {
        signal?.throwIfAborted();
        if (isAbsent(error)) return undefined;
        throw stateError('read', path, error);
      }
    },

    async put(name, bytes, { signal }: Abortable = {}) {
      const path = pathOf(name);
      signal?.throwIfAborted();
      try {
        await replaceFile(path, bytes);
      } catch (error) {
        throw stateError('write', path, error);
      }
    },

    async putIfAbsent(name, bytes, { signal }: Abortable = {}) {
      const path = pathOf(name);
      signal?.throwIfAborted();
      try {
        return await createFile(path, bytes);
      } catch (error) {
        throw stateError('write', path, error);
      }
    },

    async delete(name, { signal }: Abortable = {}) {
      const path = pathOf(name);
      signal?.throwIfAborted();
      try {
        await rm(path, { force: true });
        if (dirname(path) !== root) await removeIfEmpty(dirname(path));
      } catch (error) {
        throw stateError('delete', path, error);
      }
    },

    async list(prefix, { signal }: Abortable = {}) {
      signal?.throwIfAborted();
      const names: string[] = [];
      // Only the folder that the prefix names is walked, not the whole state.
      const folders = [prefix.slice(0, prefix.lastIndexOf('/') + 1)];
      for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
        signal?.throwIfAborted();
        const path = join(root, at);
        try {
          for (const entry of await readdir(path, { withFileTypes: true })) {
            // What is being written; no entry's name begins so.
            if (entry.name.startsWith('.')) continue;
            const name = `${at}${entry.name}`;
            if (entry.isDirectory()) folders.push(`${name}/`);
            else if (name.startsWith(prefix)) names.push(name);
          }
        } catch (error) {
          if (!isAbsent(error)) throw stateError('list', path, error);
        }
      }
      // Names are ASCII: code units order them as their bytes do.
      return names.filter((name) => name.startsWith(prefix)).sort((a, b) => (a < b ? -1 : 1));
    },

    close: () => Promise.resolve(),
  };
}

/** A folder of nothing is no entry: as on S3, it goes with the last one in it. */
async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(systemErrorCode(error) ?? '')) throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return systemErrorCode(error) === 'ENOENT';
}

function stateError(doing: string, path: string, error: unknown): EmbatchError {
  if (error instanceof EmbatchError) return error;
  return new EmbatchError(
    'STATE',
    `Cannot ${doing} the state at ${path}: ${explainFileError(error)}. --state names another place.`,
    { cause: error },
  );
}
