import { shardOfRange, splitIntoRanges } from '../../shard/record-ranges.js';

/** How evenly the work lies on the shards. */
export interface ShardLoad {
  readonly shards: number;
  /** Share of all work that the largest shard has, 0 to 1. */
  readonly largestShare: number;
  /** That share by a fair one: 1 is even. */
  readonly imbalance: number;
}

/**
 * Bytes on each shard for several numbers of shards at once, kept apart by what the work of a byte is: that is known only
 * when a sample was read. Memory: one number a shard and class.
 */
export class Spread {
  readonly #counts: readonly number[];
  readonly #classes = new Map<string, Float64Array[]>();

  /** @param counts numbers of shards */
  constructor(counts: readonly number[]) {
    this.#counts = counts;
  }

  /** @param rangeBytes size of the ranges that the object is shared out by; undefined where it stays whole */
  add(className: string, key: string, size: number, rangeBytes: number | undefined): void {
    const loads = this.#classes.get(className) ?? this.#counts.map((count) => new Float64Array(count));
    this.#classes.set(className, loads);
    const ranges = rangeBytes === undefined ? undefined : splitIntoRanges(size, rangeBytes);
    for (const [i, load] of loads.entries()) {
      const count = load.length;
      const first = shardOfRange(key, this.#counts[i] ?? 1);
      for (const { index, start, end } of ranges ?? [{ index: 0, start: 0, end: size }]) {
        const shard = (first + index) % count;
        load[shard] = (load[shard] ?? 0) + end - start;
      }
    }
  }

  /** @param workPerByte of each class */
  loads(workPerByte: (className: string) => number): ShardLoad[] {
    return this.#counts.map((shards, i) => {
      const sum = new Float64Array(shards);
      for (const [className, loads] of this.#classes) {
        const factor = workPerByte(className);
        loads[i]?.forEach((bytes, shard) => (sum[shard] = (sum[shard] ?? 0) + bytes * factor));
      }
      const all = sum.reduce((total, work) => total + work, 0);
      const largest = sum.reduce((most, work) => Math.max(most, work), 0);
      const largestShare = all === 0 ? 1 / shards : largest / all;
      return { shards, largestShare, imbalance: largestShare * shards };
    });
  }
}
