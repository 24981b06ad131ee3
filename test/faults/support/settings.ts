/**
 * How long and with which seed the faults are played: `EMBATCH_TEST_FAULTS=long` and `EMBATCH_TEST_FAULTS_SEED=n`
 * (docs/faults.md). The seed is printed, so that a run that failed can be played again.
 */
export const isLong = process.env['EMBATCH_TEST_FAULTS'] === 'long';

const DEFAULT_SEED = 20_261_122;

const seed = Number(process.env['EMBATCH_TEST_FAULTS_SEED'] ?? DEFAULT_SEED);
if (!Number.isSafeInteger(seed)) throw new Error('EMBATCH_TEST_FAULTS_SEED is no whole number');
console.log(`faults: ${isLong ? 'long' : 'short'} form, EMBATCH_TEST_FAULTS_SEED=${seed}`);

/** Numbers that look random and are the same in every run with one seed. */
export interface Random {
  /** From 0, below 1. */
  next(): number;
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number;
  /** True once in about `n` times. */
  oneIn(n: number): boolean;
  pick<Item>(items: readonly Item[]): Item;
}

/** A sequence for one purpose: what one test draws does not shift the numbers of another. */
export function randomFor(purpose: string): Random {
  let state = seed;
  for (const character of purpose) state = (Math.imul(state, 31) + character.charCodeAt(0)) | 0;
  // Mulberry32.
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  return {
    next,
    between,
    oneIn: (n) => next() * n < 1,
    pick(items) {
      const item = items[between(0, items.length - 1)];
      if (item === undefined) throw new Error('there is nothing to pick from');
      return item;
    },
  };
}
