import type { Abortable, Row, Sink, WriteOutcome } from '../core/interfaces.js';

/** Rows wait at most this long for company, so that what a killed run repeats stays small. */
const MAX_WAIT_MS = 10_000;

export type RowOutcome = (outcome: WriteOutcome) => void;

interface Pending {
  readonly row: Row;
  readonly onOutcome: RowOutcome;
}

export interface RowWriter {
  /**
   * Takes a row; resolves at once while there is room, else when a write has ended: this is what holds the
   * whole pipeline back. Rejects with the error of any write so far.
   */
  add(row: Row, onOutcome: RowOutcome): Promise<void>;
  /** Writes what waits and resolves when everything is answered. Rejects as `add` does. */
  flush(): Promise<void>;
  /** True while `add` is held back. */
  readonly blocked: boolean;
}

/** Cuts a stream of rows into writes by rows and bytes, with a bound on the writes under way. */
export function createRowWriter(sink: Sink, options: Abortable = {}): RowWriter {
  const { limits } = sink;
  const inFlight = new Set<Promise<void>>();
  let batch: Pending[] = [];
  let batchBytes = 0;
  let oldest = 0;
  let failure: { readonly error: unknown } | undefined;
  let blocked = false;

  const write = async (pending: readonly Pending[]): Promise<void> => {
    try {
      const outcomes = await sink.write(
        pending.map(({ row }) => row),
        options,
      );
      pending.forEach(({ onOutcome }, index) => {
        onOutcome(outcomes[index] as WriteOutcome);
      });
    } catch (error) {
      failure ??= { error };
    }
  };

  const dispatch = async (): Promise<void> => {
    while (inFlight.size >= limits.concurrency) {
      blocked = true;
      await Promise.race(inFlight);
      blocked = false;
    }
    if (failure !== undefined) throw failure.error;
    if (batch.length === 0) return;
    const writing: Promise<void> = write(batch).finally(() => inFlight.delete(writing));
    inFlight.add(writing);
    batch = [];
    batchBytes = 0;
  };

  return {
    get blocked() {
      return blocked;
    },
    async add(row, onOutcome) {
      const bytes = sink.sizeOf(row);
      if (batch.length > 0 && batchBytes + bytes > limits.maxBytes) await dispatch();
      if (failure !== undefined) throw failure.error;
      if (batch.length === 0) oldest = Date.now();
      batch.push({ row, onOutcome });
      batchBytes += bytes;
      if (batch.length >= limits.maxRows || Date.now() - oldest > MAX_WAIT_MS) await dispatch();
    },
    async flush() {
      // What is under way is answered in any case, also after a failure.
      const dispatched = dispatch();
      await Promise.allSettled([dispatched, ...inFlight]);
      await dispatched;
      await Promise.all(inFlight);
      if (failure !== undefined) throw failure.error;
    },
  };
}
