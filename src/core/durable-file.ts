import { randomUUID } from 'node:crypto';
import { link, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemErrorCode } from './errors.js';
import type { Abortable } from './interfaces.js';
import { makeFolder } from './make-folder.js';

/** Of files that are being written; nothing of ours begins so once it is there. */
const TEMPORARY_PREFIX = '.tmp-';
const MAX_FOLDER_ATTEMPTS = 5;
const temporaryPattern = /^\.tmp-[0-9a-f-]{36}$/;

type Content = Uint8Array | string | AsyncIterable<Uint8Array>;

/**
 * Replaces a file in one step, and makes its folder first: a reader sees the old or the new, never a part, and after
 * a power loss one of the two is there. Errors are those of the file system.
 */
export async function replaceFile(path: string, content: Content, options: Abortable = {}): Promise<void> {
  await publish(path, content, options, (temporary) => rename(temporary, path));
}

/** The same for a file that is not there yet; false, and nothing written, where it is. One of several gets true. */
export async function createFile(path: string, content: Uint8Array | string): Promise<boolean> {
  return publish(path, content, {}, async (temporary) => {
    try {
      await linkOrCopy(temporary, path);
      return true;
    } catch (error) {
      if (systemErrorCode(error) === 'EEXIST') return false;
      throw error;
    }
  });
}

/** Whether a name is of a file that is being written here, or was, by a process that was killed. */
export function isTemporaryName(name: string): boolean {
  return temporaryPattern.test(name);
}

/** Makes a new name durable; not every system lets a folder be opened, and there it is not needed. */
export async function flushFolder(folder: string): Promise<void> {
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

/** Writes the content to disk under another name in the same folder, then lets `place` put it under its own. */
async function publish<T>(
  path: string,
  content: Content,
  { signal }: Abortable,
  place: (temporary: string) => Promise<T>,
): Promise<T> {
  const folder = dirname(path);
  const temporary = join(folder, `${TEMPORARY_PREFIX}${randomUUID()}`);
  try {
    await inFolder(folder, () =>
      // `flush` waits for the disk: after a power loss the name must not point to an empty file.
      writeFile(temporary, content, { flag: 'wx', flush: true, signal }),
    );
    const result = await place(temporary);
    await flushFolder(folder).catch(ignoreAbsent);
    return result;
  } finally {
    // One that stays does no harm, and what went wrong before says more.
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

/** Makes the folder first; again, where another process has removed it meanwhile, because it was empty. */
async function inFolder(folder: string, work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await makeFolder(folder);
      await work();
      return;
    } catch (error) {
      if (attempt === MAX_FOLDER_ATTEMPTS || systemErrorCode(error) !== 'ENOENT') throw error;
    }
  }
}

/** Who has removed the new file since has no need of its name. */
function ignoreAbsent(error: unknown): void {
  if (systemErrorCode(error) !== 'ENOENT') throw error;
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
