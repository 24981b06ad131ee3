/** 53 bits that depend on every character: two 32-bit multiplicative hashes with different factors. */
export function hash53(text: string, seed = 0): number {
  let low = 0x811c9dc5 ^ seed;
  let high = 0x9e3779b9 ^ seed;
  for (let n = 0; n < text.length; n++) {
    const unit = text.charCodeAt(n);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ unit, 0x85ebca6b);
    high ^= high >>> 13;
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0);
}

const FIRST_ROOM = 1024;

/** Hashes of all ids of an index, to find those that are there more than once: 8 bytes for each rather than its id. */
export class IdHashes {
  #hashes = new Float64Array(FIRST_ROOM);
  #count = 0;

  add(id: string): void {
    if (this.#count === this.#hashes.length) {
      const larger = new Float64Array(2 * this.#count);
      larger.set(this.#hashes);
      this.#hashes = larger;
    }
    this.#hashes[this.#count++] = hash53(id);
  }

  /** Ascending, each once. Nothing can be added afterwards. */
  repeated(): Float64Array {
    const sorted = this.#hashes.subarray(0, this.#count).sort();
    let found = 0;
    for (let n = 1; n < sorted.length; n++) {
      const hash = sorted[n] ?? 0;
      if (hash !== sorted[n - 1] || (found > 0 && hash === sorted[found - 1])) continue;
      sorted[found++] = hash;
    }
    return sorted.slice(0, found);
  }
}
