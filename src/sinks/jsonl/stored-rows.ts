import { hash53 } from '../../core/id-hashes.js';
import type { Row, StaleRows } from '../../core/interfaces.js';

const NONE = -1;

/**
 * How many rows of each object, version and fingerprint an index holds, so that removals need not read it again and
 * again. Holds some 30 bytes for each row and 150 for each object; equal hashes count as equal names.
 */
export class StoredRows {
  /** Of each group of rows with one object, version and fingerprint: by its number, as an object each would be dear. */
  readonly #stamps: number[] = [];
  readonly #counts: number[] = [];
  /** The next group of the same object. */
  readonly #next: number[] = [];
  /** The first group of an object that has had rows since its last removal. */
  readonly #first = new Map<number, number>();
  readonly #groupOf = new IdTable();

  /** A row was written, or is read in the order of writing. */
  note(id: string, embatch: Row['embatch']): void {
    const group = this.#groupFor(embatch);
    this.#change(this.#groupOf.swap(id, group), -1);
    this.#change(group, 1);
  }

  /** Rows that must go. */
  count({ object, keep }: StaleRows): number {
    const kept = keep === undefined ? undefined : stampOf(keep);
    let rows = 0;
    for (let group = this.#firstOf(object); group !== NONE; group = this.#next[group] ?? NONE) {
      if (this.#stamps[group] !== kept) rows += this.#counts[group] ?? 0;
    }
    return rows;
  }

  /** They were removed, or the removal is read. */
  remove({ object, keep }: StaleRows): void {
    // The ids of a group that is left behind still lead to it, and it to nothing that counts.
    const kept = keep === undefined ? NONE : this.#find(object, stampOf(keep));
    if (kept === NONE) {
      this.#first.delete(hash53(object));
    } else {
      this.#first.set(hash53(object), kept);
      this.#next[kept] = NONE;
    }
  }

  #groupFor(embatch: Row['embatch']): number {
    const stamp = stampOf(embatch);
    const known = this.#find(embatch.object, stamp);
    if (known !== NONE) return known;
    const group = this.#stamps.push(stamp) - 1;
    this.#counts.push(0);
    this.#next.push(this.#firstOf(embatch.object));
    this.#first.set(hash53(embatch.object), group);
    return group;
  }

  #find(object: string, stamp: number): number {
    let group = this.#firstOf(object);
    while (group !== NONE && this.#stamps[group] !== stamp) group = this.#next[group] ?? NONE;
    return group;
  }

  #firstOf(object: string): number {
    return this.#first.get(hash53(object)) ?? NONE;
  }

  #change(group: number, by: number): void {
    if (group !== NONE) this.#counts[group] = (this.#counts[group] ?? 0) + by;
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

  /** Sets the number of the id and returns what it was; NONE where it had none. */
  swap(id: string, value: number): number {
    if (this.#used >= this.#values.length * MAX_LOAD) this.#grow();
    const hash = hash53(id);
    const check = hash53(id, CHECK_SEED) >>> 0;
    const slot = this.#find(hash, check);
    const former = (this.#values[slot] ?? 0) - 1;
    if (former === NONE) this.#used += 1;
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
