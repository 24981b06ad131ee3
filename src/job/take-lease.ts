import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import type { Abortable, Logger, Sink, Source, StateStore } from '../core/interfaces.js';
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
export async function takeLease(sink: Sink, options: LeaseOptions): Promise<Lease | undefined> {
  return sink.leaseUri === undefined ? undefined : await lease(sink.leaseUri, options);
}

interface Job {
  readonly state: StateStore;
  readonly source: Source;
  readonly sink: Sink;
}

/** The right to be the one run of this shard, source and sink: `--single-instance`. Errors: LEASE, STATE. */
export function takeSingleInstance({ state, source, sink }: Job, options: LeaseOptions): Promise<Lease> {
  const job = createHash('sha256')
    .update(JSON.stringify([source.uri, sink.uri]))
    .digest('hex')
    .slice(0, 16);
  return lease(`${state.uri}/single-instance/${job}`, options);
}

async function lease(uri: string, { run, rank, log, signal, closers }: LeaseOptions): Promise<Lease> {
  const store = await openState(uri);
  closers.push(() => store.close());
  const owner = `${hostname()}/${process.pid}`;
  const claim = { shard: rank.index, shards: rank.count, run, owner, ttlMs: LEASE_TTL_MS };
  const held = await acquireLease(store, claim, { signal, log });
  closers.push(() => held.release());
  return held;
}
