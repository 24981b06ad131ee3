import { EmbatchError } from '../core/errors.js';
import { formatDuration } from '../core/units.js';
import type { CurrentLease, LeaseRecord } from './lease-record.js';
import type { ShardRef } from './names.js';

const words = ({ index, count }: ShardRef): string => `shard ${index} of ${count}`;

const holderWords = (record: LeaseRecord | undefined): string =>
  record === undefined
    ? 'an unknown process'
    : `run ${record.run} (process ${record.pid} on ${record.host}, since ${record.since})`;

/** Someone else may write now. */
export function heldBy(holder: CurrentLease, wanted: ShardRef, uri: string): EmbatchError {
  const { shard, record } = holder;
  const until = record === undefined ? '' : ` If it has died, its lease ends by itself at ${record.expires}.`;
  const message =
    shard.count === wanted.count
      ? `${words(wanted)} is being written by ${holderWords(record)}; two writers of one shard leave duplicates. ` +
        `Wait for it or stop it.${until}`
      : `${words(wanted)} cannot start while ${words(shard)} is being written by ${holderWords(record)}: ` +
        `runs with another number of shards share keys. Wait for it, stop it, or use --shards ${shard.count}.${until}`;
  return new EmbatchError('LEASE', `${uri}: ${message}`, {
    retryable: true,
    details: { holder: record, shard, wanted },
  });
}

export function contended(shard: ShardRef, uri: string): EmbatchError {
  return new EmbatchError(
    'LEASE',
    `${uri}: several runs ask for ${words(shard)} at the same moment and none got it; start one of them only.`,
    { retryable: true },
  );
}

export function takenAway(
  shard: ShardRef,
  uri: string,
  by: CurrentLease | undefined,
  ttlMs: number,
): EmbatchError {
  const taker = by === undefined ? 'another run' : holderWords(by.record);
  return new EmbatchError(
    'LEASE',
    `${uri}: ${words(shard)} was taken over by ${taker}, as this process was not heard of for more than ` +
      `${formatDuration(ttlMs)}. It stops writing; run again once the other has ended.`,
    { retryable: true },
  );
}

export function notRenewed(shard: ShardRef, uri: string, ttlMs: number, cause: unknown): EmbatchError {
  return new EmbatchError(
    'LEASE',
    `${uri}: the lease of ${words(shard)} could not be renewed for ${formatDuration(ttlMs)}, so another run may take ` +
      `it over. This one stops writing; run again once the state can be reached.`,
    { retryable: true, cause },
  );
}

export function takenOver(former: CurrentLease, shard: ShardRef): string {
  return `Took over ${words(shard)} from ${holderWords(former.record)}, which ended without giving it back`;
}
