import { createLatencyBaseline } from './latency-baseline.js';

export type RequestOutcome = 'taken' | 'overloaded' | 'unclear';

/** Leave to have one request under way; `release` it exactly once. */
export interface Permit {
  /**
   * `taken`: carried out; `overloaded`: refused for lack of room, or not answered in time; `unclear`: what came of
   * it says nothing about the load. `ms` is the time between request and answer.
   */
  release(outcome: RequestOutcome, ms: number): void;
}

/**
 * Bounds the bytes of the requests under way, as TCP bounds what it has not seen acknowledged: half as many after
 * an overload or a slow answer (latency-baseline.ts), slowly more again while all goes well. A bound on bytes, since
 * that is what a cluster counts (indexing pressure, circuit breakers) and what our memory is spent on.
 */
export interface ByteLimiter {
  /** Bytes that may be under way now, from about a row to `maxBytes`. */
  readonly limit: number;
  /** Bytes that are. */
  readonly underWay: number;
  /**
   * Waits its turn, first come, first served. A request that is larger than the limit goes when no other is under
   * way. Rejects with the signal's reason.
   */
  acquire(bytes: number, signal: AbortSignal): Promise<Permit>;
}

export interface ByteLimiterOptions {
  readonly maxBytes: number;
  /** Requests under way at once, however small they are. */
  readonly maxRequests: number;
}

/** About a row: at this limit requests go one by one, whatever their size. */
export const FLOOR_BYTES = 1024;
/** What a round trip of a full limit that went well adds: a part of the maximum, and no more than a part of the limit. */
const GROWTH_OF_MAX = 1 / 20;
const GROWTH_OF_LIMIT = 1 / 4;

interface Waiter {
  readonly bytes: number;
  start(permit: Permit): void;
}

export function createByteLimiter({ maxBytes, maxRequests }: ByteLimiterOptions): ByteLimiter {
  const floor = Math.min(FLOOR_BYTES, maxBytes);
  const latency = createLatencyBaseline();
  const waiting = new Set<Waiter>();
  let limit = maxBytes;
  let underWay = 0;
  let requests = 0;
  /** Requests that began before the last cut met the same overload: they do not cut again. */
  let cuts = 0;
  /** How often a request had to wait for bytes: a limit that holds nobody back proves nothing. */
  let heldBack = 0;

  function admit(): void {
    for (const waiter of waiting) {
      if (requests >= maxRequests) return;
      if (underWay + waiter.bytes > limit && requests > 0) {
        heldBack++;
        return;
      }
      waiting.delete(waiter);
      waiter.start(createPermit(waiter.bytes));
    }
  }

  function createPermit(bytes: number): Permit {
    requests++;
    underWay += bytes;
    const begun = { cuts, heldBack, underWay };
    return {
      release(outcome, ms) {
        const slow = outcome === 'taken' && latency.isSlow(ms, bytes);
        const wasFull = heldBack > begun.heldBack || begun.underWay >= limit;
        if (outcome === 'overloaded' || slow) {
          if (cuts === begun.cuts) halve(Math.max(begun.underWay, underWay));
        } else if (outcome === 'taken' && wasFull) {
          const step = Math.min(maxBytes * GROWTH_OF_MAX, limit * GROWTH_OF_LIMIT);
          limit = Math.min(maxBytes, limit + step * Math.min(1, bytes / limit));
        }
        requests--;
        underWay -= bytes;
        admit();
      },
    };
  }

  /** Of what was under way, where that was less than allowed: it was too much already. */
  function halve(used: number): void {
    limit = Math.max(floor, Math.min(limit, used) / 2);
    cuts++;
  }

  return {
    get limit() {
      return Math.floor(limit);
    },
    get underWay() {
      return underWay;
    },
    acquire(bytes, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(signal.reason as Error);
          return;
        }
        const onAbort = (): void => {
          waiting.delete(waiter);
          reject(signal.reason as Error);
          // Whoever stood behind it may be small enough.
          admit();
        };
        const waiter: Waiter = {
          bytes,
          start(permit) {
            signal.removeEventListener('abort', onAbort);
            resolve(permit);
          },
        };
        signal.addEventListener('abort', onAbort, { once: true });
        waiting.add(waiter);
        admit();
      });
    },
  };
}
