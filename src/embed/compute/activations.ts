/** Of torch, by the lower-case names of its classes. */
export const activations = ['identity', 'tanh', 'relu', 'gelu'] as const;
export type Activation = (typeof activations)[number];

export const activationFunctions: Readonly<Record<Activation, (x: number) => number>> = {
  identity: (x) => x,
  tanh: Math.tanh,
  relu: (x) => Math.max(0, x),
  // torch's default is the exact form, not the one with tanh.
  gelu: (x) => (x / 2) * (1 + erf(x * Math.SQRT1_2)),
};

const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);
/** Up to here the series is exact to double precision; beyond, 1 - erf(x) is below 2e-17. */
const SERIES_LIMIT = 6;

/** Error function, to better than 1e-12: the series 2/√π · e^(-x²) · Σ 2ⁿx^(2n+1)/(2n+1)!!, all terms of one sign. */
function erf(x: number): number {
  const size = Math.abs(x);
  if (size >= SERIES_LIMIT) return Math.sign(x);
  let term = size;
  let sum = size;
  for (let n = 1; term > sum * Number.EPSILON; n++) {
    term *= (2 * size * size) / (2 * n + 1);
    sum += term;
  }
  return Math.sign(x) * TWO_OVER_SQRT_PI * Math.exp(-size * size) * sum;
}
