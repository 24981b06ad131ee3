import { hostname } from 'node:os';
import type { Abortable, StateStore } from '../core/interfaces.js';
import { shardName, type ShardRef } from './names.js';

function summaryName(shard: ShardRef): string {
  return `shards/${shardName(shard)}/summary.json`;
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
  summary: object,
  options: Abortable = {},
): Promise<void> {
  await store.put(summaryName(shard), `${JSON.stringify(summary, null, 2)}\n`, options);
}
