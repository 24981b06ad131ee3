import type { Model } from '../model/model.js';
import type { Expectation } from './expectations.js';

/** What a text became, alone and together with others. */
export interface Obtained {
  readonly tokenIds: Int32Array;
  readonly together: Float32Array;
  readonly alone: Float32Array;
}

export interface Comparison {
  readonly name: string;
  /** Cosine to the reference; two vectors of zeros are equal. The worse one of alone and together. */
  readonly cosine: number;
  /** Length as a share of the reference's; 1 where it has none. */
  readonly length: number;
  /** Largest difference of an element to the reference. */
  readonly difference: number;
  /** Largest difference of an element alone and together. */
  readonly batchDifference: number;
  readonly sameTokens: boolean;
}

export function compare(expected: Expectation, obtained: Obtained): Comparison {
  const { vector, tokenIds } = expected;
  const { together, alone } = obtained;
  return {
    name: expected.name,
    cosine: Math.min(cosine(vector, together), cosine(vector, alone)),
    length: expected.hasLength ? ratio(Math.hypot(...together), Math.hypot(...vector)) : 1,
    difference: Math.max(largestDifference(vector, together), largestDifference(vector, alone)),
    batchDifference: largestDifference(together, alone),
    sameTokens: tokenIds === undefined || tokenIds.join() === obtained.tokenIds.join(),
  };
}

type Vector = ArrayLike<number> & Iterable<number>;

function cosine(a: Vector, b: Vector): number {
  let dot = 0;
  for (let i = 0; i < a.length; i++) dot += (a[i] as number) * (b[i] as number);
  const norms = Math.hypot(...a) * Math.hypot(...b);
  if (norms > 0) return dot / norms;
  return Math.hypot(...a) === Math.hypot(...b) ? 1 : 0;
}

const ratio = (value: number, wanted: number): number => (wanted === 0 && value === 0 ? 1 : value / wanted);

function largestDifference(a: Vector, b: Vector): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++)
    largest = Math.max(largest, Math.abs((a[i] as number) - (b[i] as number)));
  return largest;
}

export interface Tolerance {
  /** Least cosine to the reference of any text. */
  readonly minCosine: number;
  /** A vector may be longer or shorter than the reference by this share. */
  readonly length: number;
}

/**
 * What weights of a precision can keep to, as measured on the bundled model (docs/models.md). fp32 differs from the
 * reference only in the order of sums.
 */
export function toleranceOf(model: Pick<Model, 'precision' | 'batchInvariant'>): Tolerance {
  if (model.precision === 'fp32') return { minCosine: 0.99999, length: 1e-3 };
  if (model.precision === 'fp16') return { minCosine: 0.9999, length: 1e-2 };
  const isEightBit = model.precision === 'int8' || model.precision === 'uint8';
  if (isEightBit && model.batchInvariant) return { minCosine: 0.985, length: 5e-2 };
  return { minCosine: 0.95, length: 0.1 };
}

/** What is wrong with a text's vector, in words; undefined where nothing is. */
export function fault(comparison: Comparison, tolerance: Tolerance): string | undefined {
  const { cosine: similarity, length, sameTokens } = comparison;
  if (!sameTokens) return 'its tokens are others';
  if (!(similarity >= tolerance.minCosine)) {
    return `cosine ${similarity.toFixed(6)}, at least ${tolerance.minCosine} is needed`;
  }
  if (!(Math.abs(length - 1) <= tolerance.length)) {
    return `it is ${length.toFixed(4)} times as long as the reference`;
  }
  return undefined;
}
