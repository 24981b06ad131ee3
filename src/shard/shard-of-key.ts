import { hash } from 'node:crypto';

/**
 * The shard, 0 to `count` - 1, that a key of the source belongs to: the first 8 bytes of SHA-256 over the
 * key's UTF-8 bytes, read as a big-endian unsigned number, modulo `count` (docs/design.md §4). The same on
 * every machine and in every version: two that disagree would leave objects out or embed them twice.
 * `count` is at most 2^26, so that all steps stay exact in doubles.
 */
export function shardOf(key: string, count: number): number {
  if (count === 1) return 0;
  const digest = hash('sha256', key, 'buffer');
  const highRest = digest.readUInt32BE(0) % count;
  return (highRest * (TWO_TO_32 % count) + (digest.readUInt32BE(4) % count)) % count;
}

const TWO_TO_32 = 2 ** 32;
