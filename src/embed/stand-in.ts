import { open } from 'node:fs/promises';
import { EmbatchError } from '../core/errors.js';

/** Bytes at the start of a file that tell a stand-in from the file itself. */
export const STAND_IN_BYTES = 128;

/**
 * Refuses what downloads leave in place of a large file: the pointer of a repository that was cloned without Git
 * LFS, or a web page that asks for a login. Error: MODEL.
 *
 * @param start the first bytes of the file, as text
 */
export function refuseStandIn(file: string, start: string): void {
  if (start.startsWith('version https://git-lfs.github.com/')) {
    throw new EmbatchError(
      'MODEL',
      `${file} is a Git LFS pointer, not the file itself: run git lfs pull in the repository that it was cloned from.`,
    );
  }
  if (/^\s*<(!doctype html|html|\?xml|head|body)\b/i.test(start)) {
    throw new EmbatchError(
      'MODEL',
      `${file} is a web page and not the file itself, as servers send it for a login or an error: fetch it again.`,
    );
  }
}

/** The same for a file on disk. Error: MODEL; the system's own where it cannot be read. */
export async function refuseStandInFile(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(STAND_IN_BYTES), 0, STAND_IN_BYTES, 0);
    refuseStandIn(file, buffer.toString('latin1', 0, bytesRead));
  } finally {
    await handle.close();
  }
}
