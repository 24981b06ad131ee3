import { readCharacterMap, type CharacterMap } from '../character-map.js';
import type { Component } from '../tokenizer-file.js';
import { Unsupported } from './unsupported.js';

/**
 * Where one grapheme ends for certain: between two characters that never join a neighbour of their own kind. Cut
 * there, texts stay short for Intl.Segmenter, whose time grows with the square of the length on Node 20.
 */
const CERTAIN_BOUNDARY =
  /(?<=[\p{Ll}\p{Lu}\p{Nd}\p{Zs}!-~\p{Script=Han}])(?=[\p{Ll}\p{Lu}\p{Nd}\p{Zs}!-~\p{Script=Han}])/u;

/** Longer graphemes, in bytes of UTF-8, are looked up character by character. The reference's. */
const LONGEST_LOOKED_UP_WHOLE = 5;

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
const encoder = new TextEncoder();

/**
 * SentencePiece's normalizer. As in the reference a short grapheme is replaced whole by what its shortest prefix maps
 * to, which loses marks now and then; the models were trained with that. Throws Unsupported.
 */
export function precompiled(config: Component): (text: string) => string {
  const characters = readCharacterMap(config['precompiled_charsmap']);
  if (characters === undefined) throw new Unsupported('a Precompiled normalizer without its map');

  const replaceGrapheme = (grapheme: string): string => {
    const bytes = encoder.encode(grapheme);
    const whole = bytes.length <= LONGEST_LOOKED_UP_WHOLE ? lookUp(characters, bytes) : undefined;
    if (whole !== undefined) return whole;
    let replaced = '';
    for (const character of grapheme) replaced += lookUp(characters, encoder.encode(character)) ?? character;
    return replaced;
  };
  const known = new Map<string, string>();
  const replaceStretch = (stretch: string): string => {
    const cached = known.get(stretch);
    if (cached !== undefined) return cached;
    let replaced = '';
    for (const { segment } of graphemes.segment(stretch)) replaced += replaceGrapheme(segment);
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(stretch, replaced);
    return replaced;
  };
  return (text) => text.split(CERTAIN_BOUNDARY).map(replaceStretch).join('');
}

/** Stretches whose replacement is remembered: most are one character, and the same ones come again. */
const MAX_KNOWN = 10_000;

function lookUp({ trie, replacements }: CharacterMap, key: Uint8Array): string | undefined {
  let position = offset(trie[0] ?? 0);
  for (const byte of key) {
    position ^= byte;
    const unit = trie[position] ?? 0;
    // The label of a leaf has the highest bit, so that no byte equals it.
    if (byte === 0 || (unit & 0x8000_00ff) !== byte) return undefined;
    position ^= offset(unit);
    if (((unit >>> 8) & 1) === 1) {
      const start = (trie[position] ?? 0) & 0x7fff_ffff;
      const end = replacements.indexOf(0, start);
      return replacements.toString('utf8', start, end === -1 ? undefined : end);
    }
  }
  return undefined;
}

/** From a node to its children. */
function offset(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}
