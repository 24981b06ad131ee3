import { EmbatchError } from '../core/errors.js';

/** One part of a name: what every file system and every S3 store takes as it is. */
const segmentPattern = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/;

/** Names are made by embatch alone, so a bad one is a bug: it must never reach outside the store. */
export function assertName(name: string): void {
  if (!name.split('/').every((segment) => segmentPattern.test(segment))) {
    throw new EmbatchError('BUG', `${JSON.stringify(name)} is no name for a state entry`);
  }
}

/** A shard as names show it: `0-of-4`. */
export function shardName({ index, count }: ShardRef): string {
  return `${index}-of-${count}`;
}

export interface ShardRef {
  /** From 0. */
  readonly index: number;
  readonly count: number;
}
