/** Leave to have one request under way; `release` it exactly once. */
export interface Permit {
  /** `overloaded`: the cluster refused for lack of room, or did not answer in time. */
  release(overloaded: boolean): void;
}

/** Bounds requests under way: half as many after an overload, slowly more again while all goes well. */
export interface AdaptiveLimiter {
  /** Whole requests that may be under way now, 1 to `max`. */
  readonly limit: number;
  /** Waits its turn, first come, first served. Rejects with the signal's reason. */
  acquire(signal: AbortSignal): Promise<Permit>;
}

/** Of a request more, for each one that went well. */
const GROWTH = 0.1;

export function createAdaptiveLimiter(max: number): AdaptiveLimiter {
  let limit = max;
  let running = 0;
  /** Requests that began before the last cut met the same overload: they do not cut again. */
  let cuts = 0;
  const waiting = new Set<() => void>();

  function admit(): void {
    for (const start of waiting) {
      if (running >= Math.floor(limit)) return;
      waiting.delete(start);
      running++;
      start();
    }
  }

  function createPermit(): Permit {
    const cutsBefore = cuts;
    return {
      release(overloaded) {
        running--;
        if (!overloaded) {
          limit = Math.min(max, limit + GROWTH);
        } else if (cuts === cutsBefore) {
          limit = Math.max(1, limit / 2);
          cuts++;
        }
        admit();
      },
    };
  }

  return {
    get limit() {
      return Math.floor(limit);
    },
    acquire(signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(signal.reason as Error);
          return;
        }
        const start = (): void => {
          signal.removeEventListener('abort', onAbort);
          resolve(createPermit());
        };
        const onAbort = (): void => {
          waiting.delete(start);
          reject(signal.reason as Error);
        };
        signal.addEventListener('abort', onAbort, { once: true });
        waiting.add(start);
        admit();
      });
    },
  };
}
