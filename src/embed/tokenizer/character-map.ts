/** SentencePiece's map from strings to what replaces them. */
export interface CharacterMap {
  /** A double-array trie over UTF-8 (Aoe 1989), as darts-clone lays it out. */
  readonly trie: Uint32Array;
  /** UTF-8, each replacement ended by 0; the leaves of the trie point into it. */
  readonly replacements: Buffer;
}

/** Tries grow by blocks of so many bytes. */
const BLOCK_BYTES = 1024;

/** From base64: the size of the trie in bytes and the trie itself, little-endian; the rest is the replacements. */
export function readCharacterMap(encoded: unknown): CharacterMap | undefined {
  if (typeof encoded !== 'string') return undefined;
  const content = Buffer.from(encoded, 'base64');
  const size = content.length >= 4 ? content.readUInt32LE(0) : 0;
  if (size === 0 || size % BLOCK_BYTES !== 0 || 4 + size > content.length) return undefined;
  const trie = Uint32Array.from({ length: size / 4 }, (_, index) => content.readUInt32LE(4 + 4 * index));
  return { trie, replacements: content.subarray(4 + size) };
}
