import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { StateStore } from '../core/interfaces.js';
import { shardName, type ShardRef } from './names.js';

const FOLDER = 'leases/';
const GENERATION_DIGITS = 10;
const namePattern = /^leases\/(\d+)-of-(\d+)\/(\d+)\.json$/;

/** What a lease says of its holder; an entry `leases/<shard>-of-<shards>/<generation>.json`. */
export interface LeaseRecord {
  /** Unique to the holder. */
  readonly token: string;
  readonly owner: string;
  readonly run: string;
  readonly host: string;
  /** Tells machines of one name apart, and containers that share one; see {@link processSpace}. */
  readonly space: string;
  readonly pid: number;
  /** ISO 8601, UTC, as is `expires`. */
  readonly since: string;
  readonly expires: string;
}

/** The newest generation of one shard's lease: whoever wrote it holds the shard, while it lives. */
export interface CurrentLease {
  readonly name: string;
  readonly shard: ShardRef;
  readonly generation: number;
  /** undefined where the entry is torn: its writer died in the act. */
  readonly record: LeaseRecord | undefined;
}

export function leaseName(shard: ShardRef, generation: number): string {
  return `${FOLDER}${shardName(shard)}/${String(generation).padStart(GENERATION_DIGITS, '0')}.json`;
}

export interface ListedLease {
  readonly name: string;
  readonly shard: ShardRef;
  readonly generation: number;
}

/** Every generation that is there, of one shard or of all. */
export async function listLeases(
  store: StateStore,
  shard?: ShardRef,
  signal?: AbortSignal,
): Promise<ListedLease[]> {
  const names = await store.list(shard === undefined ? FOLDER : `${FOLDER}${shardName(shard)}/`, { signal });
  return names.flatMap((name) => {
    const match = namePattern.exec(name);
    if (match === null) return [];
    const [index, count, generation] = match.slice(1).map(Number) as [number, number, number];
    return [{ name, shard: { index, count }, generation }];
  });
}

/** The newest generation of every shard of every count. */
export async function currentLeases(store: StateStore, signal?: AbortSignal): Promise<CurrentLease[]> {
  const newest = new Map<string, ListedLease>();
  for (const lease of await listLeases(store, undefined, signal)) {
    const shard = shardName(lease.shard);
    if (lease.generation > (newest.get(shard)?.generation ?? -1)) newest.set(shard, lease);
  }
  const found = await Promise.all([...newest.values()].map((lease) => readLease(store, lease, signal)));
  return found.filter((lease) => lease !== undefined);
}

/** undefined where it was released meanwhile. */
export async function readLease(
  store: StateStore,
  listed: ListedLease,
  signal?: AbortSignal,
): Promise<CurrentLease | undefined> {
  const bytes = await store.get(listed.name, { signal });
  return bytes === undefined ? undefined : { ...listed, record: parseRecord(bytes) };
}

function parseRecord(bytes: Uint8Array): LeaseRecord | undefined {
  try {
    const record = JSON.parse(Buffer.from(bytes).toString()) as Partial<LeaseRecord> | null;
    return typeof record?.token === 'string' && !Number.isNaN(Date.parse(record.expires ?? ''))
      ? (record as LeaseRecord)
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether the holder may still write. It may until its lease has expired, with `clockSkewMs` in its favour; unless
 * it was a process here that is gone.
 */
export function isLiving({ record }: CurrentLease, clockSkewMs: number): boolean {
  if (record === undefined) return false;
  if (Date.now() > Date.parse(record.expires) + clockSkewMs) return false;
  return !(record.host === hostname() && record.space === processSpace() && !isRunning(record.pid));
}

/** Shards of one count work side by side; the same shard, or one of another count, does not. */
export function inTheWay(shard: ShardRef, wanted: ShardRef): boolean {
  return shard.count !== wanted.count || shard.index === wanted.index;
}

/**
 * Anyone else who lives and believes to have what `own` claims. Older generations count too: their holder may
 * have come back to life, or have been seen by a caller that was slow.
 */
export async function rivalOf(
  store: StateStore,
  own: ListedLease,
  clockSkewMs: number,
  signal?: AbortSignal,
): Promise<CurrentLease | undefined> {
  for (const listed of await listLeases(store, undefined, signal)) {
    if (listed.name === own.name || !inTheWay(listed.shard, own.shard)) continue;
    const lease = await readLease(store, listed, signal);
    if (lease !== undefined && isLiving(lease, clockSkewMs)) return lease;
  }
  return undefined;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: another user's.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

let space: string | undefined;

/**
 * Process ids mean something only on one boot of one machine, and on Linux in one namespace: containers may share
 * a host's name, and all of them have a process 1. Empty elsewhere.
 */
export function processSpace(): string {
  space ??= [
    () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    () => readlinkSync('/proc/self/ns/pid'),
  ]
    .map((read) => {
      try {
        return read();
      } catch {
        return '';
      }
    })
    .join(' ')
    .trim();
  return space;
}
