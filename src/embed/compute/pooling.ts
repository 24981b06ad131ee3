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

export interface PooledRow {
  /** Unmasked positions of the row. */
  readonly tokens: number;
  /** The first so many of them are left out: the prompt. A row that has no others gives zeros. */
  readonly skip: number;
}

/**
 * Pools one row of hidden states. The result depends on nothing but the row's own tokens: that is one half of "the
 * same vector alone or in any batch", the graph being the other.
 *
 * @param hidden [batch, sequence, width], row-major float32
 * @param offset index in `hidden` of the first element of the row's first unmasked position
 * @param target receives `width` values, or `width` per mode where several are concatenated
 */
export function pool(
  hidden: Float32Array,
  offset: number,
  row: PooledRow,
  width: number,
  modes: readonly PoolingMode[],
  target: Float32Array,
): void {
  if (row.skip >= row.tokens) {
    target.fill(0);
    return;
  }
  modes.forEach((mode, index) => {
    poolOne(mode, hidden, offset, row, width, target.subarray(index * width, (index + 1) * width));
  });
}

function poolOne(
  mode: PoolingMode,
  hidden: Float32Array,
  offset: number,
  row: PooledRow,
  width: number,
  target: Float32Array,
): void {
  const { tokens, skip } = row;
  const count = tokens - skip;
  switch (mode) {
    case 'cls':
      target.set(hidden.subarray(offset + skip * width, offset + (skip + 1) * width));
      return;
    case 'lasttoken':
      target.set(hidden.subarray(offset + (tokens - 1) * width, offset + tokens * width));
      return;
    case 'max':
      target.fill(-Infinity);
      for (let position = skip; position < tokens; position++) {
        const start = offset + position * width;
        for (let i = 0; i < width; i++) {
          const value = hidden[start + i] as number;
          if (value > (target[i] as number)) target[i] = value;
        }
      }
      return;
    case 'mean':
      weightedSum(hidden, offset, row, width, target, () => 1, count);
      return;
    case 'mean_sqrt_len_tokens':
      weightedSum(hidden, offset, row, width, target, () => 1, Math.sqrt(count));
      return;
    case 'weightedmean': {
      // Positions count from 1, the prompt's included.
      const divisor = (tokens * (tokens + 1) - skip * (skip + 1)) / 2;
      weightedSum(hidden, offset, row, width, target, (position) => position + 1, divisor);
      return;
    }
  }
}

function weightedSum(
  hidden: Float32Array,
  offset: number,
  { tokens, skip }: PooledRow,
  width: number,
  target: Float32Array,
  weight: (position: number) => number,
  divisor: number,
): void {
  const sum = new Float64Array(width);
  for (let position = skip; position < tokens; position++) {
    const start = offset + position * width;
    const factor = weight(position);
    for (let i = 0; i < width; i++) sum[i] = (sum[i] as number) + factor * (hidden[start + i] as number);
  }
  for (let i = 0; i < width; i++) target[i] = (sum[i] as number) / divisor;
}
