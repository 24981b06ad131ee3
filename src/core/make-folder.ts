import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemErrorCode } from './errors.js';

/**
 * Creates a folder and those above it. Node's own recursive form hides why a parent cannot be made (a read-only
 * file system becomes ENOENT) and never ends below /proc.
 */
export async function makeFolder(folder: string): Promise<void> {
  const code = await tryMkdir(folder);
  if (code !== 'ENOENT' || dirname(folder) === folder) return;
  await makeFolder(dirname(folder));
  await mkdir(folder).catch((error: unknown) => {
    // Another process was faster.
    if (systemErrorCode(error) !== 'EEXIST') throw error;
  });
}

/** undefined where the folder is there afterwards, ENOENT where its parent is not; other errors are thrown. */
async function tryMkdir(folder: string): Promise<'ENOENT' | undefined> {
  try {
    await mkdir(folder);
    return undefined;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT') return code;
    if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return undefined;
    throw error;
  }
}
