/** The rules of sentence-transformers' Pooling module, per row, over the unmasked positions only. */
export const poolingModes = [
  'cls',
  'max',
  'mean',
  'mean_sqrt_len_tokens',
  'weightedmean',
  'lasttoken',
] as const;

export type PoolingMode = (typeof poolingModes)[number];

/**
 * Pools one row of right-padded hidden states. The result depends on nothing but the row's own tokens: that
 * is one half of "the same vector alone or in any batch", the graph being the other.
 *
 * @param hidden [batch, sequence, width], row-major float32
 * @param offset index in `hidden` of the row's first element
 * @param tokens unmasked positions of the row; at least 1
 * @param target receives `width` values, or `width` per mode where several are concatenated
 */
export function pool(
  hidden: Float32Array,
  offset: number,
  tokens: number,
  width: number,
  modes: readonly PoolingMode[],
  target: Float32Array,
): void {
  modes.forEach((mode, index) => {
    poolOne(mode, hidden, offset, tokens, width, target.subarray(index * width, (index + 1) * width));
  });
}

function poolOne(
  mode: PoolingMode,
  hidden: Float32Array,
  offset: number,
  tokens: number,
  width: number,
  target: Float32Array,
): void {
  switch (mode) {
    case 'cls':
      target.set(hidden.subarray(offset, offset + width));
      return;
    case 'lasttoken':
      target.set(hidden.subarray(offset + (tokens - 1) * width, offset + tokens * width));
      return;
    case 'max':
      target.fill(-Infinity);
      for (let position = 0; position < tokens; position++) {
        const row = offset + position * width;
        for (let i = 0; i < width; i++) {
          const value = hidden[row + i] as number;
          if (value > (target[i] as number)) target[i] = value;
        }
      }
      return;
    case 'mean':
      weightedSum(hidden, offset, tokens, width, target, () => 1, tokens);
      return;
    case 'mean_sqrt_len_tokens':
      weightedSum(hidden, offset, tokens, width, target, () => 1, Math.sqrt(tokens));
      return;
    case 'weightedmean':
      weightedSum(
        hidden,
        offset,
        tokens,
        width,
        target,
        (position) => position + 1,
        (tokens * (tokens + 1)) / 2,
      );
      return;
  }
}

function weightedSum(
  hidden: Float32Array,
  offset: number,
  tokens: number,
  width: number,
  target: Float32Array,
  weight: (position: number) => number,
  divisor: number,
): void {
  const sum = new Float64Array(width);
  for (let position = 0; position < tokens; position++) {
    const row = offset + position * width;
    const factor = weight(position);
    for (let i = 0; i < width; i++) sum[i] = (sum[i] as number) + factor * (hidden[row + i] as number);
  }
  for (let i = 0; i < width; i++) target[i] = (sum[i] as number) / divisor;
}

/** Below this length a vector is taken for zero and left as it is, as the reference does. */
const MIN_NORM = 1e-12;

/** Divides by the L2 norm, in place. */
export function normalize(vector: Float32Array): void {
  let squares = 0;
  for (const value of vector) squares += value * value;
  const norm = Math.max(Math.sqrt(squares), MIN_NORM);
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] as number) / norm;
}
