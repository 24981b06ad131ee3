import { hostname } from 'node:os';
import type { Abortable, Logger, Sink } from '../core/interfaces.js';
import { acquireLease, type Lease } from '../ledger/lease.js';
import { openState } from '../ledger/open-state.js';
import type { Rank } from '../shard/rank.js';

/** How long a killed writer keeps others out; its own lease is renewed three times in that time. */
const LEASE_TTL_MS = 30_000;

export interface LeaseOptions extends Abortable {
  readonly run: string;
  readonly rank: Rank;
  readonly log: Logger;
  /** Takes what gives the lease back. */
  readonly closers: (() => Promise<void>)[];
}

/** The right to write this shard, where the sink needs one; undefined where it does not. Errors: LEASE, STATE. */
export async function takeLease(
  sink: Sink,
  { run, rank, log, signal, closers }: LeaseOptions,
): Promise<Lease | undefined> {
  if (sink.leaseUri === undefined) return undefined;
  const store = await openState(sink.leaseUri);
  closers.push(() => store.close());
  const owner = `${hostname()}/${process.pid}`;
  const claim = { shard: rank.index, shards: rank.count, run, owner, ttlMs: LEASE_TTL_MS };
  const lease = await acquireLease(store, claim, { signal, log });
  closers.push(() => lease.release());
  return lease;
}
