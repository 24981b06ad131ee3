import { createHash } from 'node:crypto';

const BUCKETS = 256;
const INITIAL_SLOTS = 16;
const MAX_LOAD = 0.75;

/**
 * Which record ids an object has shown so far. Holds 8 bytes of a hash per id outside of the JavaScript heap,
 * in small tables that grow one at a time, since an object may have tens of millions of records. Two ids
 * with equal hashes would be taken for one: among ten million, with a probability of 3 in a million.
 */
export class SeenIds {
  readonly #tables: BigUint64Array[] = [];
  readonly #sizes = new Uint32Array(BUCKETS);

  /** True the first time. */
  add(id: string): boolean {
    const digest = createHash('sha256').update(id).digest();
    const bucket = digest[8] as number;
    // 0 marks a free slot.
    const hash = digest.readBigUInt64LE(0) || 1n;
    let table = (this.#tables[bucket] ??= new BigUint64Array(INITIAL_SLOTS));
    if ((this.#sizes[bucket] as number) + 1 > table.length * MAX_LOAD) {
      table = this.#tables[bucket] = grown(table);
    }
    const added = insert(table, hash);
    if (added) this.#sizes[bucket] = (this.#sizes[bucket] as number) + 1;
    return added;
  }
}

function insert(table: BigUint64Array, hash: bigint): boolean {
  const mask = table.length - 1;
  for (let slot = Number(hash & BigInt(mask)); ; slot = (slot + 1) & mask) {
    if (table[slot] === hash) return false;
    if (table[slot] === 0n) {
      table[slot] = hash;
      return true;
    }
  }
}

function grown(table: BigUint64Array): BigUint64Array {
  const larger = new BigUint64Array(table.length * 2);
  for (const hash of table) if (hash !== 0n) insert(larger, hash);
  return larger;
}
