import type { Component } from '../tokenizer-file.js';
import { Unsupported } from './unsupported.js';

/** By how much an unknown character scores below the least likely piece. The reference's. */
const UNKNOWN_PENALTY = 10;

/** Pieces by their first, second, … code point. */
interface Node {
  readonly next: Map<string, Node>;
  id: number | undefined;
}

/**
 * The likeliest spelling of a piece (Kudo 2018, "Subword Regularization", section 3.2), by the same sums in the same
 * order as the reference, so that ties go the same way. Characters in a row that are unknown become one token.
 */
export function createUnigram(model: Component): (piece: string) => number[] {
  if (model['byte_fallback'] === true) throw new Unsupported('byte_fallback of the model Unigram');
  const vocabulary = model['vocab'] as readonly (readonly [string, number])[];
  const unknown = typeof model['unk_id'] === 'number' ? model['unk_id'] : undefined;
  const unknownScore =
    vocabulary.reduce((least, [, score]) => Math.min(least, score), Infinity) - UNKNOWN_PENALTY;
  const root = buildTrie(vocabulary.map(([token]) => token));

  return (piece) => {
    const characters = Array.from(piece);
    const length = characters.length;
    const best = new Float64Array(length + 1);
    const from = new Int32Array(length + 1).fill(-1);
    const ids = new Int32Array(length + 1).fill(-1);
    const reach = (start: number, end: number, id: number, score: number): void => {
      const total = score + (best[start] as number);
      if (from[end] !== -1 && total <= (best[end] as number)) return;
      best[end] = total;
      from[end] = start;
      ids[end] = id;
    };
    for (let start = 0; start < length; start++) {
      let single = false;
      let node = root.next.get(characters[start] as string);
      for (let end = start + 1; node !== undefined; end++) {
        if (node.id !== undefined) {
          reach(start, end, node.id, (vocabulary[node.id] as readonly [string, number])[1]);
          single ||= end === start + 1;
        }
        node = end < length ? node.next.get(characters[end] as string) : undefined;
      }
      if (!single) reach(start, start + 1, unknown ?? -1, unknownScore);
    }
    return backtrack(from, ids, unknown);
  };
}

function backtrack(from: Int32Array, ids: Int32Array, unknown: number | undefined): number[] {
  const spelled: number[] = [];
  for (let end = from.length - 1; end > 0; end = from[end] as number) {
    const id = ids[end] as number;
    if (id === -1) throw new Error('it has a character that is no piece, and unk_id is missing');
    if (id !== unknown || spelled.at(-1) !== unknown) spelled.push(id);
  }
  return spelled.reverse();
}

function buildTrie(tokens: readonly string[]): Node {
  const root: Node = { next: new Map(), id: undefined };
  tokens.forEach((token, id) => {
    let node = root;
    for (const character of token) {
      let next = node.next.get(character);
      if (next === undefined) node.next.set(character, (next = { next: new Map(), id: undefined }));
      node = next;
    }
    // Of two equal pieces the later one, as in the reference.
    node.id = id;
  });
  return root;
}
