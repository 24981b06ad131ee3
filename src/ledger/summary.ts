import { hostname } from 'node:os';
import type { Abortable, StateStore } from '../core/interfaces.js';
import { shardName, type ShardRef } from './names.js';

/** A retry is no run: that it went well says nothing of what a run has not tried yet. */
export type SummaryKind = 'summary' | 'retry';

function summaryName(shard: ShardRef, kind: SummaryKind): string {
  return `shards/${shardName(shard)}/${kind}.json`;
}

/** Keeps what a shard set out to do; a state that cannot be written is found out by it. Error: STATE. */
export async function writeStart(
  store: StateStore,
  shard: ShardRef,
  start: object,
  options: Abortable = {},
): Promise<void> {
  const started = { time: new Date().toISOString(), host: hostname(), pid: process.pid, ...start };
  await store.put(`shards/${shardName(shard)}/run.json`, `${JSON.stringify(started, null, 2)}\n`, options);
}

/** Keeps what a shard ended with, for `status` and for whoever comes later. Error: STATE. */
export async function writeSummary(
  store: StateStore,
  shard: ShardRef,
  { kind, summary }: { readonly kind: SummaryKind; readonly summary: object },
  options: Abortable = {},
): Promise<void> {
  await store.put(summaryName(shard, kind), `${JSON.stringify(summary, null, 2)}\n`, options);
}
