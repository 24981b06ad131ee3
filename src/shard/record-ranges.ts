import type { RecordRange } from '../core/interfaces.js';
import { shardOf } from './shard-of-key.js';

/**
 * The ranges that an object of so many bytes is shared out by; undefined where it stays whole. They follow from its size
 * alone, so that every shard comes to the same without a word.
 *
 * @param rangeBytes size of each but the last
 */
export function splitIntoRanges(size: number, rangeBytes: number): readonly RecordRange[] | undefined {
  if (size <= rangeBytes) return undefined;
  const count = Math.ceil(size / rangeBytes);
  return Array.from({ length: count }, (_, index) => ({
    index,
    count,
    start: index * rangeBytes,
    end: Math.min(size, (index + 1) * rangeBytes),
  }));
}

/** Ranges go round the shards, beginning with that of the key, so that no two shards differ by more than one. */
export function shardOfRange(key: string, count: number, range = 0): number {
  return (shardOf(key, count) + range) % count;
}
