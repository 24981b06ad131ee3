import { randomUUID } from 'node:crypto';
import { link, open, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { EmbatchError, systemErrorCode } from '../core/errors.js';
import { makeFolder } from '../core/make-folder.js';
import { explainFileError } from '../core/file-errors.js';
import type { Abortable, StateStore } from '../core/interfaces.js';
import { assertName } from './names.js';

/** No entry's name begins with a dot. */
const TEMPORARY_PREFIX = '.tmp-';

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
      await withTemporary(path, bytes, async (temporary) => {
        await rename(temporary, path);
      });
    },

    async putIfAbsent(name, bytes, { signal }: Abortable = {}) {
      const path = pathOf(name);
      signal?.throwIfAborted();
      return withTemporary(path, bytes, async (temporary) => {
        try {
          await linkOrCopy(temporary, path);
          return true;
        } catch (error) {
          if (systemErrorCode(error) === 'EEXIST') return false;
          throw error;
        } finally {
          await rm(temporary, { force: true });
        }
      });
    },

    async delete(name, { signal }: Abortable = {}) {
      const path = pathOf(name);
      signal?.throwIfAborted();
      try {
        await rm(path, { force: true });
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

/** Writes the bytes to disk under another name in the same folder, then lets `publish` put them in place. */
async function withTemporary<T>(
  path: string,
  bytes: Uint8Array | string,
  publish: (temporary: string) => Promise<T>,
): Promise<T> {
  const folder = dirname(path);
  const temporary = join(folder, `${TEMPORARY_PREFIX}${randomUUID()}`);
  try {
    await makeFolder(folder);
    // `flush` waits for the disk: after a power loss the name must not point to an empty file.
    await writeFile(temporary, bytes, { flag: 'wx', flush: true });
    const result = await publish(temporary);
    await flushFolder(folder);
    return result;
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw stateError('write', path, error);
  }
}

/** Some file systems (FAT, FUSE over object stores) have no hard links; they still create exclusively. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(systemErrorCode(error) ?? ''))
      throw error;
    await writeFile(to, await readFile(from), { flag: 'wx', flush: true });
  }
}

/** Makes a new name durable; not every system lets a folder be opened, and there it is not needed. */
async function flushFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'EPERM'].includes(systemErrorCode(error) ?? '')) throw error;
  } finally {
    await handle.close();
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
