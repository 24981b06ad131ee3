import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, open, readdir, rename, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { systemErrorCode } from '../../core/errors.js';
import { makeFolder } from '../../core/make-folder.js';
import { explainFileError } from '../../core/file-errors.js';
import type { Abortable } from '../../core/interfaces.js';
import type { Appender, Place } from './place.js';

/** Of files that are being written; none of ours begins so once it is there. */
const TEMPORARY_PREFIX = '.tmp-';
const NO_HARD_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/** A folder, made when something is first written. */
export function createLocalPlace(folder: string): Place {
  const root = resolve(folder);
  const pathOf = (name: string): string => join(root, name);
  const temporaryPath = (): string => pathOf(`${TEMPORARY_PREFIX}${randomUUID()}`);

  return {
    uri: root,

    async list({ signal }: Abortable = {}) {
      signal?.throwIfAborted();
      try {
        const entries = await readdir(root, { withFileTypes: true });
        return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
      } catch (error) {
        if (systemErrorCode(error) === 'ENOENT') return [];
        throw error;
      }
    },

    read: (name, { signal }: Abortable = {}) =>
      createReadStream(pathOf(name), { signal, highWaterMark: 2 ** 18 }),

    async create(name, bytes, { signal }: Abortable = {}) {
      signal?.throwIfAborted();
      await makeFolder(root);
      const temporary = temporaryPath();
      try {
        await writeFile(temporary, bytes, { flag: 'wx', flush: true });
        await link(temporary, pathOf(name)).catch(async (error: unknown) => {
          if (!NO_HARD_LINKS.includes(systemErrorCode(error) ?? '')) throw error;
          await writeFile(pathOf(name), bytes, { flag: 'wx', flush: true });
        });
        await flushFolder(root);
        return true;
      } catch (error) {
        if (systemErrorCode(error) === 'EEXIST') return false;
        throw error;
      } finally {
        await rm(temporary, { force: true });
      }
    },

    async replace(name, pieces, { signal }: Abortable = {}) {
      const temporary = temporaryPath();
      try {
        await writeFile(temporary, pieces, { flag: 'wx', signal });
        const handle = await open(temporary, 'r+');
        await handle.sync().finally(() => handle.close());
        await rename(temporary, pathOf(name));
        await flushFolder(root);
      } finally {
        await rm(temporary, { force: true });
      }
    },

    remove: (name) => rm(pathOf(name), { force: true }),
    append: (nextName) => new LocalAppender(root, nextName),
    explain: explainFileError,
    close: () => Promise.resolve(),
  };
}

class LocalAppender implements Appender {
  readonly #root: string;
  readonly #nextName: () => string;
  #handle: FileHandle | undefined;
  /** Bytes that were acknowledged. */
  #size = 0;

  constructor(root: string, nextName: () => string) {
    this.#root = root;
    this.#nextName = nextName;
  }

  async write(bytes: Uint8Array, { signal }: Abortable = {}): Promise<void> {
    signal?.throwIfAborted();
    const handle = (this.#handle ??= await this.#open());
    try {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, this.#size + done);
        done += bytesWritten;
      }
      await handle.datasync();
      this.#size += bytes.length;
    } catch (error) {
      // What was half-written must not stand before the next row.
      await handle.truncate(this.#size).catch(() => undefined);
      throw error;
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #open(): Promise<FileHandle> {
    await makeFolder(this.#root);
    for (;;) {
      try {
        const handle = await open(join(this.#root, this.#nextName()), 'wx');
        await flushFolder(this.#root);
        return handle;
      } catch (error) {
        if (systemErrorCode(error) !== 'EEXIST') throw error;
      }
    }
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
