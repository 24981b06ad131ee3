/** What a sample says of the whole, and how sure that is. */

/** What one object gives. */
export interface Yield {
  readonly documents: number;
  readonly chunks: number;
  readonly tokens: number;
  /** Of the chunks, UTF-8. */
  readonly textBytes: number;
}

export const measures = ['documents', 'chunks', 'tokens', 'textBytes'] as const;
export type Measure = (typeof measures)[number];

export interface SampledObject {
  /** As stored. */
  readonly bytes: number;
  readonly yield: Yield;
  /** Where only the beginning was read: variance of what is extrapolated. */
  readonly variance: Yield;
}

/** Objects that are much alike, and those of them that were read. */
export interface Stratum {
  readonly objects: number;
  readonly bytes: number;
  readonly sample: readonly SampledObject[];
}

/** With the ends of the range in which the truth lies 19 times out of 20. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

interface Part {
  readonly value: number;
  readonly variance: number;
}

const Z = 1.96;

/**
 * Sums the strata up. In each of them either the yield per byte or the yield per object is taken, whichever varies less in
 * the sample; its spread, and what of the stratum was not read, say how far it may be off (Cochran, Sampling Techniques,
 * 1977, §2.6, §6.4, §10.3). Exact where all was read.
 */
export function estimate(strata: readonly Stratum[], measure: Measure): Estimate {
  const parts = strata.map((stratum) => ofStratum(stratum, measure));
  const value = parts.reduce((sum, part) => sum + part.value, 0);
  const variance = parts.reduce((sum, part) => sum + part.variance, 0);
  // Welch and Satterthwaite: few objects of the stratum that counts most leave few degrees of freedom.
  const freedom =
    variance ** 2 /
    parts.reduce((sum, part, i) => {
      return sum + part.variance ** 2 / Math.max(1, (strata[i]?.sample.length ?? 0) - 1);
    }, 0);
  const seen = strata.flatMap(({ sample }) => sample).reduce((sum, each) => sum + each.yield[measure], 0);
  const off = Math.sqrt(variance) * (variance === 0 ? 0 : studentT(Math.max(1, freedom)));
  // What was extrapolated within objects may be less than it seems, what was counted may not.
  const low = variance === 0 ? value : Math.max(Math.min(seen, value), value - off);
  return { value: Math.round(value), low: Math.floor(low), high: Math.ceil(value + off) };
}

/** Yield per byte of a stratum: how its work is shared out. */
export function perByte(stratum: Stratum, measure: Measure): number {
  return stratum.bytes === 0 ? 0 : ofStratum(stratum, measure).value / stratum.bytes;
}

function ofStratum({ objects, bytes, sample }: Stratum, measure: Measure): Part {
  const n = sample.length;
  if (objects === 0) return { value: 0, variance: 0 };
  if (n === 0) return { value: 0, variance: 0 };
  const yields = sample.map((each) => each.yield[measure]);
  const sum = total(yields);
  const sampledBytes = total(sample.map((each) => each.bytes));
  const within = (objects / n) * total(sample.map(({ variance }) => variance[measure]));
  if (n >= objects) return { value: sum, variance: within };
  const mean = sum / n;
  const ratio = sampledBytes === 0 ? 0 : sum / sampledBytes;
  const byObject = residuals(yields, () => mean);
  const byByte = residuals(yields, (i) => ratio * (sample[i]?.bytes ?? 0));
  const takesBytes = byByte < byObject;
  // Of a single object nothing is known but that another may give nothing at all.
  const spread = n > 1 ? Math.min(byObject, byByte) / (n - 1) : mean ** 2;
  const between = objects ** 2 * (1 - n / objects) * (spread / n);
  return { value: takesBytes ? ratio * bytes : mean * objects, variance: between + within };
}

function residuals(values: readonly number[], expected: (index: number) => number): number {
  return total(values.map((value, i) => (value - expected(i)) ** 2));
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** The 97.5 % point of Student's t (Abramowitz and Stegun 26.7.5), exact for one and two degrees of freedom. */
function studentT(freedom: number): number {
  if (freedom === 1) return 12.706;
  if (freedom === 2) return 4.303;
  const terms = [
    (Z ** 3 + Z) / 4,
    (5 * Z ** 5 + 16 * Z ** 3 + 3 * Z) / 96,
    (3 * Z ** 7 + 19 * Z ** 5 + 17 * Z ** 3 - 15 * Z) / 384,
  ];
  return terms.reduce((sum, term, i) => sum + term / freedom ** (i + 1), Z);
}
