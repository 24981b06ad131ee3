/**
 * Cuts inputs into model calls. Sorted by token count, so that little is padded, and cut where a batch would
 * exceed `maxPaddedTokens` (rows × the longest row); an input longer than that is a batch of its own.
 * Padding, not call overhead, is what batching on a CPU costs.
 *
 * @param lengths tokens of each input
 * @returns indices into `lengths`; every index once. Deterministic: equal lengths keep their order.
 */
export function planBatches(lengths: readonly number[], maxPaddedTokens: number): number[][] {
  const order = lengths.map((length, index) => ({ length, index }));
  order.sort((a, b) => a.length - b.length || a.index - b.index);
  const batches: number[][] = [];
  let batch: number[] = [];
  for (const { length, index } of order) {
    // Ascending order: this row is the longest so far.
    if (batch.length > 0 && length * (batch.length + 1) > maxPaddedTokens) {
      batches.push(batch);
      batch = [];
    }
    batch.push(index);
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}
