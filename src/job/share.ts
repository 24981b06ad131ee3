import type { RecordRange, Source, SourceObject } from '../core/interfaces.js';
import { typeOfKey } from '../document/formats.js';
import { splitIntoRanges, shardOfRange } from '../shard/record-ranges.js';

export interface ShareOptions {
  /** The shard whose share is asked for. */
  readonly shard: { readonly index: number; readonly count: number };
  /** Size of a range, and of the largest object that stays whole; undefined where none is split. */
  readonly rangeBytes: number | undefined;
}

/** What of an object is a shard's. */
export interface Share {
  /** The object itself: it is counted here, and settled here unless another shard is faster. */
  readonly isMine: boolean;
  /** All ranges that it is shared out by; undefined where it stays whole. */
  readonly ranges: readonly RecordRange[] | undefined;
  /** Those of this shard. */
  readonly mine: readonly RecordRange[];
}

const NONE: readonly RecordRange[] = [];

/** The size of ranges, where the source can be read by them. */
export const rangeBytesOf = (source: Source, splitBytes: number): number | undefined =>
  source.opensRanges === true ? splitBytes : undefined;

/** Whether a name promises records that a reader may begin with anywhere: lines, and not compressed. */
export function hasRanges(key: string): boolean {
  const { format, gzip } = typeOfKey(key);
  return format === 'jsonl' && !gzip;
}

/** A shard's share of an object, by its key and size alone. */
export function shareOf(object: SourceObject, { shard, rangeBytes }: ShareOptions): Share {
  const { key, size, skip } = object;
  const { index, count } = shard;
  const isMine = count === 1 || shardOfRange(key, count) === index;
  if (rangeBytes === undefined || size <= rangeBytes || skip !== undefined || !hasRanges(key)) {
    return { isMine, ranges: undefined, mine: NONE };
  }
  const ranges = splitIntoRanges(size, rangeBytes);
  const mine = ranges?.filter((range) => count === 1 || shardOfRange(key, count, range.index) === index);
  return { isMine, ranges, mine: mine ?? NONE };
}

/** Whether an object is done by ranges, where it is read from this source. */
export function isSplit(object: SourceObject, source: Source, splitBytes: number): boolean {
  const share = { shard: { index: 0, count: 1 }, rangeBytes: rangeBytesOf(source, splitBytes) };
  return shareOf(object, share).ranges !== undefined;
}
