import { describeError, isEmbatchError } from '../core/errors.js';
import type { EmbatchError } from '../core/errors.js';
import type { Abortable, Logger, StateStore } from '../core/interfaces.js';
import { notRenewed, takenAway } from './lease-errors.js';
import {
  currentLeases,
  isLiving,
  leaseName,
  listLeases,
  readLease,
  rivalOf,
  type LeaseRecord,
} from './lease-record.js';
import { shardName, type ShardRef } from './names.js';

const RENEWALS_PER_TTL = 3;
/** After a failure. */
const RETRIES_PER_TTL = 12;
/** A store that hangs must not hold up the end of a run. */
const RELEASE_TIMEOUT_MS = 2000;

export interface HeldLeaseOptions {
  readonly store: StateStore;
  readonly shard: ShardRef;
  readonly record: Omit<LeaseRecord, 'expires'>;
  readonly generation: number;
  readonly grantedAt: Moment;
  readonly ttlMs: number;
  readonly clockSkewMs: number;
  readonly log: Logger;
}

/** The clock on the wall jumps, the other one stands still while a machine sleeps: the later of both counts. */
export interface Moment {
  readonly wallMs: number;
  readonly steadyMs: number;
}

export function thisMoment(): Moment {
  return { wallMs: Date.now(), steadyMs: performance.now() };
}

export function msSince(moment: Moment): number {
  return Math.max(Date.now() - moment.wallMs, performance.now() - moment.steadyMs);
}

export function encodeLease(record: Omit<LeaseRecord, 'expires'>, from: Moment, ttlMs: number): string {
  return JSON.stringify({ ...record, expires: new Date(from.wallMs + ttlMs).toISOString() });
}

/** Renews a lease until it is released or lost. */
export class HeldLease {
  readonly #options: HeldLeaseOptions;
  readonly #lost = new AbortController();
  readonly #ending = new AbortController();
  #generation: number;
  #confirmedAt: Moment;
  #renewal: Promise<void> | undefined;
  #nextTimer: NodeJS.Timeout | undefined;
  #deadlineTimer: NodeJS.Timeout | undefined;
  #lastError: unknown;
  #release: Promise<void> | undefined;

  constructor(options: HeldLeaseOptions) {
    this.#options = options;
    this.#generation = options.generation;
    this.#confirmedAt = options.grantedAt;
    this.#plan(options.ttlMs / RENEWALS_PER_TTL);
    this.#setDeadline();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  release(): Promise<void> {
    return (this.#release ??= this.#giveBack());
  }

  async #giveBack(): Promise<void> {
    this.#stopTimers();
    const { store, log } = this.#options;
    // A timer that keeps the process alive, unlike that of AbortSignal.timeout: someone waits for this.
    const patience = setTimeout(
      () => this.#ending.abort(new Error('the store did not answer')),
      RELEASE_TIMEOUT_MS,
    );
    const { signal } = this.#ending;
    try {
      await this.#renewal;
      await store.delete(leaseName(this.#options.shard, this.#generation), { signal });
    } catch (error) {
      log.warn(`The lease at ${store.uri} was not given back; it expires by itself: ${describeError(error)}`);
    } finally {
      clearTimeout(patience);
      this.#ending.abort();
    }
  }

  async hasOtherWriters({ signal }: Abortable = {}): Promise<boolean> {
    const { store, shard, clockSkewMs } = this.#options;
    const leases = await currentLeases(store, signal);
    return leases.some(
      (lease) => shardName(lease.shard) !== shardName(shard) && isLiving(lease, clockSkewMs),
    );
  }

  #plan(delayMs: number): void {
    this.#nextTimer = setTimeout(() => {
      this.#renewal = this.#renew();
    }, delayMs).unref();
  }

  /** Fires even while a call to the store hangs. */
  #setDeadline(): void {
    const { store, shard, ttlMs } = this.#options;
    clearTimeout(this.#deadlineTimer);
    this.#deadlineTimer = setTimeout(
      () => this.#lose(notRenewed(shard, store.uri, ttlMs, this.#lastError)),
      Math.max(0, ttlMs - msSince(this.#confirmedAt)),
    ).unref();
  }

  async #renew(): Promise<void> {
    const { ttlMs, log, store, shard } = this.#options;
    const expired = msSince(this.#confirmedAt) >= ttlMs;
    try {
      if (expired) {
        // This process was stopped or the machine slept. What is left of the deadline is for one attempt.
        clearTimeout(this.#deadlineTimer);
        await this.#regain();
      } else {
        await this.#prolong();
      }
      this.#lastError = undefined;
      if (this.#isOver) return;
      this.#setDeadline();
      this.#plan(ttlMs / RENEWALS_PER_TTL);
    } catch (error) {
      if (this.#isOver) return;
      if (isEmbatchError(error, 'LEASE')) {
        this.#lose(error);
      } else if (expired) {
        this.#lose(notRenewed(shard, store.uri, ttlMs, error));
      } else {
        if (this.#lastError === undefined)
          log.warn(`The lease was not renewed, trying again: ${describeError(error)}`);
        this.#lastError = error;
        this.#plan(ttlMs / RETRIES_PER_TTL);
      }
    }
  }

  get #isOver(): boolean {
    return this.#release !== undefined || this.#lost.signal.aborted;
  }

  /** Writes first and looks afterwards: whoever took over while this process slept in between is seen. */
  async #prolong(): Promise<void> {
    const { store, shard, record, ttlMs } = this.#options;
    const signal = this.#ending.signal;
    const now = thisMoment();
    await store.put(leaseName(shard, this.#generation), encodeLease(record, now, ttlMs), { signal });
    const leases = await listLeases(store, shard, signal);
    const newer = leases.find(({ generation }) => generation > this.#generation);
    if (newer !== undefined) throw takenAway(shard, store.uri, await readLease(store, newer, signal), ttlMs);
    this.#confirmedAt = now;
  }

  /** An expired lease is anyone's: it is taken anew, as others take it, unless someone had it in between. */
  async #regain(): Promise<void> {
    const { store, shard, record, ttlMs, clockSkewMs } = this.#options;
    const signal = AbortSignal.any([this.#ending.signal, AbortSignal.timeout(ttlMs)]);
    const own = await readLease(store, this.#listed(this.#generation), signal);
    const next = this.#generation + 1;
    const now = thisMoment();
    const regained =
      own?.record?.token === record.token &&
      (await store.putIfAbsent(leaseName(shard, next), encodeLease(record, now, ttlMs), { signal }));
    if (!regained)
      throw takenAway(shard, store.uri, await readLease(store, this.#listed(next), signal), ttlMs);
    const former = this.#generation;
    this.#generation = next;
    await store.delete(leaseName(shard, former), { signal });
    const rival = await rivalOf(store, this.#listed(next), clockSkewMs, signal);
    if (rival !== undefined) throw takenAway(shard, store.uri, rival, ttlMs);
    this.#confirmedAt = now;
  }

  #listed(generation: number): { name: string; shard: ShardRef; generation: number } {
    const { shard } = this.#options;
    return { name: leaseName(shard, generation), shard, generation };
  }

  #lose(reason: EmbatchError): void {
    if (this.#isOver) return;
    this.#stopTimers();
    this.#options.log.error(reason.message);
    this.#lost.abort(reason);
  }

  #stopTimers(): void {
    clearTimeout(this.#nextTimer);
    clearTimeout(this.#deadlineTimer);
  }
}
