const WORDS = 4;
const BYTES_PER_WORD = 4;
/** Base64url characters that hold that many bytes. */
const CHARACTERS = Math.ceil((WORDS * BYTES_PER_WORD * 4) / 3);

/**
 * What a set of chunk ids comes to, in any order and with no room for the ids themselves: their number, and the
 * exclusive or of their first 128 bits. Ids are hashes (ids.ts), so sets that differ do not meet by chance.
 */
export class IdSet {
  readonly #words = new Uint32Array(WORDS);
  #size = 0;

  /** An id must be added once only. */
  add(id: string): void {
    const bytes = Buffer.from(id.slice(0, CHARACTERS), 'base64url');
    for (let word = 0; word < WORDS; word++) {
      const offset = word * BYTES_PER_WORD;
      // An id that is none of ours may be shorter.
      if (offset + BYTES_PER_WORD > bytes.length) break;
      this.#words[word] = (this.#words[word] ?? 0) ^ bytes.readUInt32LE(offset);
    }
    this.#size += 1;
  }

  get size(): number {
    return this.#size;
  }

  equals(other: IdSet): boolean {
    return this.#size === other.#size && this.#words.every((word, index) => word === other.#words[index]);
  }
}
