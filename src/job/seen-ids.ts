import { createHash } from 'node:crypto';

const BUCKETS = 256;
const INITIAL_SLOTS = 16;
const MAX_LOAD = 0.75;

/**
 * Which record ids an object has shown so far, or any such set. Holds 8 bytes of a hash per id outside of the JavaScript heap,
 * in small tables that grow one at a time, since an object may have tens of millions of records. Two ids
 * with equal hashes would be taken for one: among ten million, with a probability of 3 in a million.
 */
export class SeenIds {
  readonly #tables: BigUint64Array[] = [];
  readonly #sizes = new Uint32Array(BUCKETS);

  has(id: string): boolean {
    const { bucket, hash } = placeOf(id);
    const table = this.#tables[bucket];
    return table?.[slotOf(table, hash)] === hash;
  }

  /** True the first time. */
  add(id: string): boolean {
    const { bucket, hash } = placeOf(id);
    let table = (this.#tables[bucket] ??= new BigUint64Array(INITIAL_SLOTS));
    if ((this.#sizes[bucket] as number) + 1 > table.length * MAX_LOAD) {
      table = this.#tables[bucket] = grown(table);
    }
    const added = insert(table, hash);
    if (added) this.#sizes[bucket] = (this.#sizes[bucket] as number) + 1;
    return added;
  }
}

function placeOf(id: string): { readonly bucket: number; readonly hash: bigint } {
  const digest = createHash('sha256').update(id).digest();
  // 0 marks a free slot.
  return { bucket: digest[8] as number, hash: digest.readBigUInt64LE(0) || 1n };
}

function insert(table: BigUint64Array, hash: bigint): boolean {
  const slot = slotOf(table, hash);
  if (table[slot] === hash) return false;
  table[slot] = hash;
  return true;
}

/** Where the hash is, or belongs. */
function slotOf(table: BigUint64Array, hash: bigint): number {
  const mask = table.length - 1;
  let slot = Number(hash & BigInt(mask));
  while (table[slot] !== hash && table[slot] !== 0n) slot = (slot + 1) & mask;
  return slot;
}

function grown(table: BigUint64Array): BigUint64Array {
  const larger = new BigUint64Array(table.length * 2);
  for (const hash of table) if (hash !== 0n) insert(larger, hash);
  return larger;
}
