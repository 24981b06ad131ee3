/**
 * Tells answers that take far longer than usual. Usual is measured, not configured: a moving average of the time
 * that a request takes for its size. It follows faster answers quickly and slower ones reluctantly, so that a
 * queue that builds up in the cluster shows against it, while a cluster that stays slow becomes the usual one
 * after some hundred answers.
 */
export interface LatencyBaseline {
  /** Learns from one answer, and says whether it was slow. */
  isSlow(ms: number, bytes: number): boolean;
}

/** An answer is slow from so many times the usual on … */
const SLOW_FACTOR = 4;
/** … and never below this: a garbage collection or a merge is not an overload. */
const NEVER_SLOW_MS = 2_000;
/** Size, in bytes, from which on the time of a request grows with it; below, the round trip is most of it. */
const FIXED_COST_BYTES = 256 * 1024;
const WEIGHT_OF_FASTER = 0.2;
const WEIGHT_OF_SLOWER = 0.02;

export function createLatencyBaseline(): LatencyBaseline {
  let usual: number | undefined;
  return {
    isSlow(ms, bytes) {
      const cost = ms / (bytes + FIXED_COST_BYTES);
      usual ??= cost;
      const slow = ms > NEVER_SLOW_MS && cost > usual * SLOW_FACTOR;
      // One that hung for a minute counts as one that was just slow.
      const counted = Math.min(cost, usual * SLOW_FACTOR);
      usual += (counted - usual) * (counted < usual ? WEIGHT_OF_FASTER : WEIGHT_OF_SLOWER);
      return slow;
    },
  };
}
