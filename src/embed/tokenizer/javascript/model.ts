import type { TokenizerFile } from '../tokenizer-file.js';
import { library, type LibraryModel } from './library.js';
import { byteAlphabet } from './pre-tokenizer.js';
import { createUnigram } from './unigram.js';
import { Unsupported, refuseType } from './unsupported.js';

/** Ids of one piece. */
export type Spell = (piece: string) => readonly number[];

type ModelConfig = TokenizerFile['model'];

/** @throws Unsupported */
export function createSpeller(model: ModelConfig): Spell {
  switch (model.type) {
    case 'WordPiece':
      return ofLibrary(new library.WordPiece(model));
    case 'BPE':
      return ofLibrary(bytePairs(model));
    case 'Unigram':
      return createUnigram(model);
    case 'WordLevel':
      return wordLevel(model);
    default:
      return refuseType('model', model.type);
  }
}

function ofLibrary(model: LibraryModel): Spell {
  return (piece) =>
    // One piece a call: the library would join unknown tokens across pieces.
    model([piece]).map((token) => {
      const id = model.tokens_to_ids.get(token) ?? model.unk_token_id;
      if (id === undefined)
        throw new Error(`${JSON.stringify(token)} is unknown and the file has no id for that`);
      return id;
    });
}

function wordLevel(model: ModelConfig): Spell {
  const ids = new Map(Object.entries(model['vocab'] as Readonly<Record<string, number>>));
  const unknown = ids.get(String(model['unk_token']));
  return (piece) => {
    const id = ids.get(piece) ?? unknown;
    return id === undefined ? [] : [id];
  };
}

function bytePairs(model: ModelConfig): LibraryModel {
  checkMerges(model);
  if (typeof model['dropout'] === 'number' && model['dropout'] > 0) {
    throw new Unsupported('dropout of the model BPE');
  }
  if (typeof model['continuing_subword_prefix'] === 'string' && model['continuing_subword_prefix'] !== '') {
    throw new Unsupported('continuing_subword_prefix of the model BPE');
  }
  // Without a token for them the reference leaves unknown characters out before it merges, the library after.
  const vocabulary = model['vocab'] as object;
  const ending = model['end_of_word_suffix'];
  const letters = typeof ending === 'string' ? byteAlphabet.map((letter) => letter + ending) : [];
  const namesUnknown = typeof model['unk_token'] === 'string';
  if (!namesUnknown && ![...byteAlphabet, ...letters].every((letter) => Object.hasOwn(vocabulary, letter))) {
    throw new Unsupported('a BPE model that has neither all bytes nor a token for what is unknown');
  }
  return new library.BPE(model);
}

function checkMerges({ merges, vocab }: ModelConfig): void {
  if (!Array.isArray(merges)) throw new Unsupported('a BPE model without merges');
  const vocabulary = vocab as object;
  for (const merge of merges as unknown[]) {
    const [left, right] = (typeof merge === 'string' ? merge.split(' ', 2) : merge) as [string, string];
    if (![left, right, left + right].every((token) => Object.hasOwn(vocabulary, token))) {
      throw new Unsupported(`a BPE model whose merge ${JSON.stringify(merge)} is not in its vocabulary`);
    }
  }
}
