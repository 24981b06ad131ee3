import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Abortable } from '../../core/interfaces.js';

/** In hexadecimal: SHA-256 of the content, or git's id of it (SHA-1 over a header and the content). */
export interface ContentHash {
  readonly kind: 'sha256' | 'git';
  readonly value: string;
}

const READ_BYTES = 2 ** 20;

/** The hash of a file of any size, in the kind that is asked for. */
export async function hashFile(
  file: string,
  kind: ContentHash['kind'],
  { signal }: Abortable = {},
): Promise<string> {
  const hash = createHash(kind === 'git' ? 'sha1' : 'sha256');
  if (kind === 'git') hash.update(`blob ${(await stat(file)).size}\0`);
  for await (const bytes of createReadStream(file, { highWaterMark: READ_BYTES })) {
    signal?.throwIfAborted();
    hash.update(bytes as Buffer);
  }
  return hash.digest('hex');
}
