import { randomBytes } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EmbatchError } from '../../core/errors.js';
import { explainFileError } from '../../core/file-errors.js';
import { makeFolder } from '../../core/make-folder.js';

/** Bytes of a file, links followed; undefined where there is none. */
export async function fileSize(file: string): Promise<number | undefined> {
  const found = await stat(file).catch(() => undefined);
  return found?.isFile() === true ? found.size : undefined;
}

/** A name beside `file` that no other process uses. */
export function uniqueName(file: string, ending: string): string {
  return `${file}.${randomBytes(4).toString('hex')}.${ending}`;
}

/** Replaces a file at once: readers see the old or the new. Error: MODEL. */
export async function writeAtomically(file: string, text: string): Promise<void> {
  const temporary = uniqueName(file, 'tmp');
  await writing(file, async () => {
    await makeFolder(dirname(file));
    try {
      const handle = await open(temporary, 'wx');
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, file);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  });
}

/** Runs work that writes to the cache; its failures become MODEL with what to do about them. */
export async function writing<Result>(file: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof EmbatchError) throw error;
    throw new EmbatchError(
      'MODEL',
      `Cannot write ${file}: ${explainFileError(error)}. ` +
        'HF_HOME (for hf:) and XDG_CACHE_HOME (for s3:// and both) say where models are kept.',
      { cause: error },
    );
  }
}
