/**
 * The first `limit` ids of an input that has more. Where the tokenizer adds special tokens the last of them
 * is kept: it closes the input, as the model was trained to expect.
 */
export function truncateIds(ids: Int32Array, limit: number, specialTokens: number): Int32Array {
  const kept = ids.slice(0, limit);
  const last = ids.at(-1);
  if (specialTokens > 0 && last !== undefined) kept[limit - 1] = last;
  return kept;
}
