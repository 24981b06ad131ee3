import { createHash } from 'node:crypto';

const RANDOM_BYTES = 6;

/** Numbers between 0 and 1, both exclusive, the same for the same seed. */
export function seededRandom(seed: number): () => number {
  let calls = 0;
  return () => {
    const digest = createHash('sha256').update(`${seed} ${calls}`).digest();
    calls += 1;
    return (digest.readUIntBE(0, RANDOM_BYTES) + 0.5) / 2 ** (8 * RANDOM_BYTES);
  };
}

/**
 * Keeps `size` of any number of items, each with the same chance. It works out how many it lets pass until the next one
 * that it takes, so that letting one pass costs next to nothing (algorithm L: Li, 1994, doi:10.1145/198429.198435).
 */
export class Reservoir<Item> {
  readonly #size: number;
  readonly #random: () => number;
  readonly #items: Item[] = [];
  #seen = 0;
  /** Position of the next item that is taken, once the reservoir is full. */
  #next = 0;
  /** Greatest of `size` random numbers, had each item that was kept been given one. */
  #threshold = 1;

  constructor(size: number, random: () => number) {
    this.#size = size;
    this.#random = random;
  }

  /** `make` is called only for an item that is taken. */
  offer(make: () => Item): void {
    const position = this.#seen;
    this.#seen += 1;
    if (position < this.#size) {
      this.#items.push(make());
      if (this.#items.length === this.#size) this.#skip(position);
    } else if (position === this.#next) {
      this.#items[Math.floor(this.#random() * this.#size)] = make();
      this.#skip(position);
    }
  }

  get items(): readonly Item[] {
    return this.#items;
  }

  #skip(position: number): void {
    this.#threshold *= Math.exp(Math.log(this.#random()) / this.#size);
    this.#next = position + 1 + Math.floor(Math.log(this.#random()) / Math.log1p(-this.#threshold));
  }
}
