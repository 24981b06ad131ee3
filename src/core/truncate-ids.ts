/**
 * The first `limit` ids of an input that has more. The special tokens that close an input are kept as its last ones:
 * models were trained to expect them there.
 *
 * @param closingTokens see {@link Tokenizer}
 */
export function truncateIds(ids: Int32Array, limit: number, closingTokens: number): Int32Array {
  if (ids.length <= limit) return ids;
  const kept = ids.slice(0, limit);
  const closing = Math.min(closingTokens, limit);
  kept.set(ids.subarray(ids.length - closing), limit - closing);
  return kept;
}
