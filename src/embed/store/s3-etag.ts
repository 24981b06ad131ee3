import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Abortable } from '../../core/interfaces.js';

const READ_BYTES = 2 ** 20;

/**
 * The ETag, without quotes, that S3 gives a file: its MD5, or for one that was uploaded in parts the MD5 of the parts'
 * MD5s and their number. Source: Amazon S3, "Checking object integrity".
 *
 * @param partBytes of all parts but the last; Infinity for a file that was uploaded whole
 */
export async function etagOfFile(
  file: string,
  partBytes: number,
  { signal }: Abortable = {},
): Promise<string> {
  const digests: Buffer[] = [];
  let part = createHash('md5');
  let left = partBytes;
  for await (const bytes of createReadStream(file, { highWaterMark: READ_BYTES })) {
    signal?.throwIfAborted();
    for (let rest = bytes as Buffer; rest.length > 0;) {
      const piece = rest.subarray(0, left);
      part.update(piece);
      rest = rest.subarray(piece.length);
      left -= piece.length;
      if (left > 0) continue;
      digests.push(part.digest());
      part = createHash('md5');
      left = partBytes;
    }
  }
  if (partBytes === Infinity) return part.digest('hex');
  if (left < partBytes) digests.push(part.digest());
  return `${createHash('md5').update(Buffer.concat(digests)).digest('hex')}-${digests.length}`;
}
