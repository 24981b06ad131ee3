import { createHash } from 'node:crypto';
import type { Random } from './settings.js';

const WORDS =
  'amber birch cedar delta ember fjord grove heron islet jetty knoll larch marsh north otter'.split(' ');

/** Of each text, in characters: so that few objects are in work at once, and much is left to be done at any moment. */
const PADDING = 2000;

/** Somewhere that objects lie: a bucket or a folder. */
export interface Place {
  /** What a key is added to for the URI of its object. */
  readonly root: string;
  /** What `embatch run` is given. */
  readonly uri: string;
  put(key: string, body: string): Promise<void>;
  remove(key: string): Promise<void>;
}

/**
 * Documents of our own, no two sentences alike, and what of them is in the source at the moment: text files of one to
 * some chunks, and JSONL files of some records. Each change of an object changes every text in it.
 */
export class Documents {
  readonly place: Place;
  /** What the source holds, by key. */
  readonly bodies = new Map<string, string>();
  readonly #random: Random;
  #made = 0;

  constructor(place: Place, random: Random) {
    this.place = place;
    this.#random = random;
  }

  get keys(): string[] {
    return [...this.bodies.keys()];
  }

  /** Adds objects in places all over the listing. */
  async add(count: number): Promise<void> {
    const keys = Array.from({ length: count }, () => {
      const name = createHash('sha1').update(String(this.#made++)).digest('hex').slice(0, 6);
      return `${name}-${this.#made}.${this.#random.oneIn(2) ? 'txt' : 'jsonl'}`;
    });
    await this.#putAll(keys, () => this.#random.between(1, 6));
  }

  async change(keys: readonly string[]): Promise<void> {
    await this.#putAll(keys, () => this.#random.between(1, 6));
  }

  /** Leaves one record or one short text of what was many. */
  async shrink(keys: readonly string[]): Promise<void> {
    await this.#putAll(keys, () => 1);
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      await this.place.remove(key);
      this.bodies.delete(key);
    }
  }

  /** About one in `n` of the objects that are there. */
  some(n: number): string[] {
    return this.keys.filter(() => this.#random.oneIn(n));
  }

  async #putAll(keys: readonly string[], length: () => number): Promise<void> {
    const waiting = keys.map((key) => [key, this.#body(key, length())] as const);
    const put = async (): Promise<void> => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        const [key, body] = next;
        await this.place.put(key, body);
        this.bodies.set(key, body);
      }
    };
    await Promise.all(Array.from({ length: 8 }, put));
  }

  #body(key: string, length: number): string {
    const edition = this.#made++;
    const lines = Array.from({ length }, (_, n) => `${edition} ${n} ${this.#sentence()}`);
    if (!key.endsWith('.jsonl')) return `${lines.join(`\n${' '.repeat(PADDING)}\n`)}\n`;
    return lines.map((text) => `${JSON.stringify({ text, padding: '.'.repeat(PADDING) })}\n`).join('');
  }

  #sentence(): string {
    return `${Array.from({ length: 6 }, () => this.#random.pick(WORDS)).join(' ')}.`;
  }
}
