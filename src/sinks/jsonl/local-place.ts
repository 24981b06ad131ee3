import { createReadStream } from 'node:fs';
import { open, readdir, rm, type FileHandle } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createFile, flushFolder, replaceFile } from '../../core/durable-file.js';
import { systemErrorCode } from '../../core/errors.js';
import { explainFileError } from '../../core/file-errors.js';
import type { Abortable } from '../../core/interfaces.js';
import { makeFolder } from '../../core/make-folder.js';
import type { Appender, Place } from './place.js';

/** A folder, made when something is first written. */
export function createLocalPlace(folder: string): Place {
  const root = resolve(folder);
  const pathOf = (name: string): string => join(root, name);

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
      return createFile(pathOf(name), bytes);
    },

    replace: (name, pieces, options) => replaceFile(pathOf(name), pieces, options),
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
