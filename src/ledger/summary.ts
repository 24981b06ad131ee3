import type { Abortable, StateStore } from '../core/interfaces.js';
import { shardName, type ShardRef } from './names.js';

function summaryName(shard: ShardRef): string {
  return `shards/${shardName(shard)}/summary.json`;
}

/** Keeps what a shard ended with, for `status` and for whoever comes later. Error: STATE. */
export async function writeSummary(
  store: StateStore,
  shard: ShardRef,
  summary: object,
  options: Abortable = {},
): Promise<void> {
  await store.put(summaryName(shard), `${JSON.stringify(summary, null, 2)}\n`, options);
}
