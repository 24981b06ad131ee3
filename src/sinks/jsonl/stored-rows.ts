import { hash53 } from '../../core/id-hashes.js';
import type { Row, StaleRows } from '../../core/interfaces.js';

/**
 * How many rows of each object, version and fingerprint an index holds, so that removals need not read it again and
 * again. Holds some 30 bytes for each row and 150 for each object; equal hashes count as equal names.
 */
export class StoredRows {
  readonly #groups: { readonly stamp: number; rows: number }[] = [];
  /** Numbers of the groups of an object that have had rows since its last removal. */
  readonly #groupsOf = new Map<number, number[]>();
  readonly #groupOf = new IdTable();

  /** A row was written, or is read in the order of writing. */
  note(id: string, embatch: Row['embatch']): void {
    const number = this.#numberOf(embatch);
    const former = this.#groups[this.#groupOf.swap(id, number)];
    if (former !== undefined) former.rows -= 1;
    const group = this.#groups[number];
    if (group !== undefined) group.rows += 1;
  }

  /** Rows that must go. */
  count({ object, keep }: StaleRows): number {
    return this.#staleGroups(object, keep).reduce(
      (sum, number) => sum + (this.#groups[number]?.rows ?? 0),
      0,
    );
  }

  /** They were removed, or the removal is read. */
  remove({ object, keep }: StaleRows): void {
    const stale = new Set(this.#staleGroups(object, keep));
    const key = hash53(object);
    const others = this.#groupsOf.get(key)?.filter((number) => !stale.has(number)) ?? [];
    // The ids of a group that is left for good still lead to it, and to nothing that counts.
    if (others.length > 0) this.#groupsOf.set(key, others);
    else this.#groupsOf.delete(key);
  }

  #staleGroups(object: string, keep: StaleRows['keep']): readonly number[] {
    const numbers = this.#groupsOf.get(hash53(object)) ?? [];
    if (keep === undefined) return numbers;
    const kept = stampOf(keep);
    return numbers.filter((number) => this.#groups[number]?.stamp !== kept);
  }

  #numberOf(embatch: Row['embatch']): number {
    const key = hash53(embatch.object);
    const stamp = stampOf(embatch);
    const numbers = this.#groupsOf.get(key) ?? [];
    const known = numbers.find((number) => this.#groups[number]?.stamp === stamp);
    if (known !== undefined) return known;
    const number = this.#groups.push({ stamp, rows: 0 }) - 1;
    this.#groupsOf.set(key, [...numbers, number]);
    return number;
  }
}

function stampOf({
  version,
  fingerprint,
}: {
  readonly version: string;
  readonly fingerprint: string;
}): number {
  return hash53(`${fingerprint}/${version}`);
}

const FIRST_SLOTS = 1024;
const MAX_LOAD = 0.75;
/** Of a second hash: with one alone, some two of ten million ids would be taken for each other. */
const CHECK_SEED = 0x5bd1e995;

/** A number below 2^32 - 1 for each id, in 16 bytes a slot. */
class IdTable {
  #hashes = new Float64Array(FIRST_SLOTS);
  #checks = new Uint32Array(FIRST_SLOTS);
  /** The number and 1; 0 is free. */
  #values = new Uint32Array(FIRST_SLOTS);
  #used = 0;

  /** Sets the number of the id and returns what it was; -1 where it had none. */
  swap(id: string, value: number): number {
    if (this.#used >= this.#values.length * MAX_LOAD) this.#grow();
    const hash = hash53(id);
    const check = hash53(id, CHECK_SEED) >>> 0;
    const slot = this.#find(hash, check);
    const former = (this.#values[slot] ?? 0) - 1;
    if (former < 0) this.#used += 1;
    this.#set(slot, hash, check, value + 1);
    return former;
  }

  #find(hash: number, check: number): number {
    const slots = this.#values.length;
    let slot = hash % slots;
    while (this.#values[slot] !== 0 && !(this.#hashes[slot] === hash && this.#checks[slot] === check)) {
      slot = (slot + 1) % slots;
    }
    return slot;
  }

  #set(slot: number, hash: number, check: number, value: number): void {
    this.#hashes[slot] = hash;
    this.#checks[slot] = check;
    this.#values[slot] = value;
  }

  #grow(): void {
    const [hashes, checks, values] = [this.#hashes, this.#checks, this.#values];
    this.#hashes = new Float64Array(2 * values.length);
    this.#checks = new Uint32Array(2 * values.length);
    this.#values = new Uint32Array(2 * values.length);
    for (const [slot, value] of values.entries()) {
      if (value === 0) continue;
      const [hash = 0, check = 0] = [hashes[slot], checks[slot]];
      this.#set(this.#find(hash, check), hash, check, value);
    }
  }
}
