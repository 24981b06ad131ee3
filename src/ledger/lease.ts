import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { sleep } from '../core/streams.js';
import type { Abortable, Logger, StateStore } from '../core/interfaces.js';
import { HeldLease, encodeLease, msSince, thisMoment } from './held-lease.js';
import { contended, heldBy, takenOver } from './lease-errors.js';
import {
  currentLeases,
  inTheWay,
  isLiving,
  leaseName,
  listLeases,
  processSpace,
  rivalOf,
  type LeaseRecord,
} from './lease-record.js';
import { shardName, type ShardRef } from './names.js';

export interface LeaseRequest {
  readonly shard: number;
  readonly shards: number;
  /** Who asks, for messages: `embatch run`. */
  readonly owner: string;
  readonly run: string;
  /** A holder that was not heard of for so long has lost its lease. */
  readonly ttlMs: number;
  /** By how much the clocks of two machines may differ. */
  readonly clockSkewMs?: number;
}

export interface Lease {
  /** Fires when another may write: taken over after a pause, or not renewed in time. Its reason is a LEASE error. */
  readonly lost: AbortSignal;
  /** Gives it back. Idempotent; a failure is only warned of, since the lease expires by itself. */
  release(): Promise<void>;
  /** See {@link otherWriters}. */
  hasOtherWriters(options?: Abortable): Promise<boolean>;
}

const CLOCK_SKEW_MS = 5000;
/** Races that end without a winner are run again. */
const MAX_ROUNDS = 20;
const ROUND_WAIT_MS = 50;

/**
 * Makes this process the one writer of a shard, and its count the one count that is at work. A generation is taken
 * by `putIfAbsent` alone, so of several callers one gets it; afterwards everyone looks again, and gives way to
 * whoever else is there: two may both step back, never both go on. Errors: LEASE, STATE.
 */
export async function acquireLease(
  store: StateStore,
  request: LeaseRequest,
  { signal, log }: Abortable & { readonly log: Logger },
): Promise<Lease> {
  const { ttlMs, clockSkewMs = CLOCK_SKEW_MS } = request;
  const shard: ShardRef = { index: request.shard, count: request.shards };
  const record = newRecord(request);

  for (let round = 1; ; round++) {
    signal?.throwIfAborted();
    const leases = (await currentLeases(store, signal)).filter((lease) => inTheWay(lease.shard, shard));
    const holder = leases.find((lease) => isLiving(lease, clockSkewMs));
    if (holder !== undefined) throw heldBy(holder, shard, store.uri);

    const former = leases.find((lease) => shardName(lease.shard) === shardName(shard));
    const generation = (former?.generation ?? 0) + 1;
    const own = { name: leaseName(shard, generation), shard, generation };
    const grantedAt = thisMoment();
    if (await store.putIfAbsent(own.name, encodeLease(record, grantedAt, ttlMs), { signal })) {
      const rival = await rivalOf(store, own, clockSkewMs, signal);
      if (rival === undefined && msSince(grantedAt) < ttlMs) {
        if (former !== undefined) log.warn(takenOver(former, shard));
        await deleteFormer(store, shard, generation);
        return new HeldLease({ store, shard, record, generation, grantedAt, ttlMs, clockSkewMs, log });
      }
      await store.delete(own.name);
      if (rival !== undefined && rival.shard.count !== shard.count) throw heldBy(rival, shard, store.uri);
    }
    if (round >= MAX_ROUNDS) throw contended(shard, store.uri);
    await sleep(ROUND_WAIT_MS * Math.random(), signal);
  }
}

/** Whether another shard may still write. If not, the holder is the last, and may do what would disturb others. */
export function otherWriters(lease: Lease, options: Abortable = {}): Promise<boolean> {
  return lease.hasOtherWriters(options);
}

function newRecord({ owner, run }: LeaseRequest): Omit<LeaseRecord, 'expires'> {
  return {
    token: randomUUID(),
    owner,
    run,
    host: hostname(),
    space: processSpace(),
    pid: process.pid,
    since: new Date().toISOString(),
  };
}

/** A former holder that wakes up finds its entry gone even when the new one has ended by then. */
async function deleteFormer(store: StateStore, shard: ShardRef, generation: number): Promise<void> {
  for (const lease of await listLeases(store, shard)) {
    if (lease.generation < generation) await store.delete(lease.name);
  }
}
