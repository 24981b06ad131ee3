import { lstat, open, realpath, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { describeError, EmbatchError, systemErrorCode, type ErrorCode } from '../core/errors.js';
import type { OpenObject, OpenOptions, SourceObject } from '../core/interfaces.js';
import { createBody } from './body.js';
import type { GlobbedSource } from './filter.js';
import type { FolderOptions } from './local-folder.js';
import { describeFile, isWithin, outOfFiles, realPathOf } from './local-paths.js';
import { walk } from './local-walk.js';
import { printable } from './printable.js';

const READ_BYTES = 256 * 1024;

export interface LocalSourceOptions extends FolderOptions {
  /** Takes the place of `file://` and the real path, where one folder is mounted in different places. */
  readonly sourceId?: string | undefined;
}

/**
 * The files of a folder, or one file. Error: SOURCE where there is no such path, USAGE where it lies within a path
 * that is to be left out.
 */
export async function createLocalSource(
  uri: string,
  path: string,
  options: LocalSourceOptions,
): Promise<GlobbedSource> {
  const { root, file } = await locate(path);
  for (const excluded of options.leaveOut ?? []) {
    if (isWithin(root, await realPathOf(excluded))) {
      throw new EmbatchError(
        'USAGE',
        `The source ${printable(path)} lies within ${printable(excluded)}, where this run writes. ` +
          'Name another source, sink or state folder.',
      );
    }
  }
  return {
    id: (options.sourceId ?? fileUri(root)).replace(/\/+$/, ''),
    uri,
    opensRanges: true,
    globBase: '',
    reaches: (key) => file === undefined || key === file,
    fateOf: (key) => fateOf(join(root, key)),
    list: ({ signal } = {}) =>
      file === undefined ? walk(root, { ...options, signal }) : listFile(root, file),
    open: (object, openOptions) => openFile(join(root, object.key), object, openOptions),
    close: () => Promise.resolve(),
  };
}

/** `file://` and the path, unescaped; as on Windows too, with slashes only. */
function fileUri(path: string): string {
  const slashes = sep === '/' ? path : path.replaceAll(sep, '/');
  return `file://${slashes.startsWith('/') ? '' : '/'}${slashes}`;
}

async function locate(path: string): Promise<{ readonly root: string; readonly file: string | undefined }> {
  try {
    const real = await realpath(path);
    const stats = await stat(real);
    if (stats.isDirectory()) return { root: real, file: undefined };
    if (stats.isFile()) return { root: dirname(real), file: basename(real) };
  } catch (error) {
    const missing = systemErrorCode(error) === 'ENOENT';
    const reason = missing ? 'there is no such file or folder' : describeError(error);
    throw new EmbatchError('SOURCE', `Cannot read the source ${printable(path)}: ${reason}.`, {
      cause: error,
    });
  }
  throw new EmbatchError(
    'SOURCE',
    `Cannot read the source ${printable(path)}: it is neither a file nor a folder.`,
  );
}

/** What is there and was not listed has been left out: by an option, as a link, or as no file. */
async function fateOf(path: string): Promise<'gone' | 'there' | 'unknown'> {
  try {
    await lstat(path);
    return 'there';
  } catch (error) {
    // Anything else, such as a folder that may not be entered, says nothing.
    return ['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '') ? 'gone' : 'unknown';
  }
}

async function* listFile(root: string, file: string): AsyncGenerator<SourceObject, void, undefined> {
  try {
    yield describeFile(file, await stat(join(root, file), { bigint: true }));
  } catch (error) {
    const message = `Cannot read the source ${printable(join(root, file))}: ${describeError(error)}.`;
    throw new EmbatchError('SOURCE', message, { cause: error });
  }
}

async function openFile(
  path: string,
  listed: SourceObject,
  { signal, from = 0 }: OpenOptions = {},
): Promise<OpenObject> {
  signal?.throwIfAborted();
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    const stats = await handle.stat({ bigint: true });
    if (!stats.isFile()) {
      throw new EmbatchError(
        'OBJECT_UNREADABLE',
        `Cannot read ${printable(path)}: it is no file (any more).`,
      );
    }
    const object = describeFile(listed.key, stats);
    return { object, contentType: undefined, body: fileBody(handle, path, object, { from, signal }) };
  } catch (error) {
    await handle?.close();
    throw cannotRead(path, error);
  }
}

/** The bytes of the file, as many as it had when it was opened; OBJECT_UNREADABLE where it changes meanwhile. */
function fileBody(
  handle: FileHandle,
  path: string,
  object: SourceObject,
  { from, signal }: { readonly from: number; readonly signal: AbortSignal | undefined },
): AsyncIterable<Uint8Array> {
  let disposed = false;
  const dispose = async (): Promise<void> => {
    if (disposed) return;
    disposed = true;
    await handle.close();
  };

  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let position = from; position < object.size;) {
        signal?.throwIfAborted();
        // Not from the pool that small buffers share: a consumer may transfer it to a worker.
        const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, object.size - position));
        const { bytesRead } = await handle.read(buffer, 0, buffer.byteLength, position);
        if (bytesRead === 0) throw changed(path);
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
      const { version } = describeFile(object.key, await handle.stat({ bigint: true }));
      if (version !== object.version) throw changed(path);
    } catch (error) {
      signal?.throwIfAborted();
      if (!disposed) throw cannotRead(path, error);
    } finally {
      await dispose();
    }
  }

  return createBody(read, dispose);
}

function changed(path: string): EmbatchError {
  const message = `${printable(path)} changed while it was being read: run again.`;
  return new EmbatchError('OBJECT_UNREADABLE', message, { retryable: true });
}

const codes: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'OBJECT_GONE',
  ENOTDIR: 'OBJECT_GONE',
  EACCES: 'OBJECT_DENIED',
  EPERM: 'OBJECT_DENIED',
};

function cannotRead(path: string, error: unknown): EmbatchError {
  if (error instanceof EmbatchError) return error;
  const code = systemErrorCode(error) ?? '';
  if (code === 'EMFILE' || code === 'ENFILE') return outOfFiles(error);
  const message = `Cannot read ${printable(path)}: ${describeError(error)}.`;
  return new EmbatchError(codes[code] ?? 'OBJECT_UNREADABLE', message, { cause: error });
}
