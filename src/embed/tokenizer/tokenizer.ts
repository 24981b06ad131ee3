import type { Tokenizer } from '../../core/interfaces.js';
import type { TokenizerBackend } from './backend.js';
import { surroundings } from './special-tokens.js';
import { readTokenizerFile, unknownId } from './tokenizer-file.js';

export interface TokenizerSpec {
  /** A `tokenizer.json`. */
  readonly file: string;
  /**
   * `do_lower_case` of sentence_bert_config.json: a Lowercase step in front of the file's own normalizer unless
   * that has one already, as sentence-transformers does.
   */
  readonly lowercase: boolean;
  /** False for static models: nothing is added to a text. */
  readonly specialTokens: boolean;
  /** As model2vec: ids of the unknown token are dropped, and counted by nobody. */
  readonly dropUnknown: boolean;
}

export interface LoadedTokenizer extends Tokenizer {
  /** Whether this is the id of one of the file's special tokens, such as `[CLS]`. */
  isSpecial(id: number): boolean;
  /** The largest id of the vocabulary, added tokens aside. */
  readonly largestId: number;
}

/**
 * Ids of each text, of any length, with the file's special tokens around it or without. Texts are well-formed
 * UTF-16. Rejects with MODEL where the file's rules have no answer for a text.
 */
export type EncodeTexts = (texts: readonly string[], addSpecialTokens: boolean) => Promise<number[][]>;

/** Half of a surrogate pair without the other half. */
const LONE_SURROGATE = /\p{Surrogate}/gu;
const REPLACEMENT_CHARACTER = '\uFFFD';

/**
 * Loads a tokenizer. Truncation and padding that are baked into the file are never applied: those of several
 * popular models are wrong (all-MiniLM-L6-v2 says 128 where the model takes 256). Both backends give the same ids,
 * or the JavaScript one refuses the file (docs/decisions/tokenizer.md). Error: MODEL.
 */
export async function loadTokenizer(
  spec: TokenizerSpec,
  backend: TokenizerBackend = 'native',
): Promise<LoadedTokenizer> {
  const content = await readTokenizerFile(spec);
  // Checked for both: special tokens that the file does not have end the process inside the native library.
  const around = surroundings(content, spec.file);
  const encodeTexts =
    backend === 'native'
      ? await (await import('./native.js')).loadNative(content, spec.file)
      : (await import('./javascript.js')).loadJavascript(content, around, spec.file);

  const dropped = spec.dropUnknown ? unknownId(content) : undefined;
  const encodeAll = async (texts: readonly string[], addSpecialTokens: boolean): Promise<number[][]> => {
    const wellFormed = texts.map((text) => text.replace(LONE_SURROGATE, REPLACEMENT_CHARACTER));
    const encoded = await encodeTexts(wellFormed, addSpecialTokens);
    return dropped === undefined ? encoded : encoded.map((ids) => ids.filter((id) => id !== dropped));
  };

  const special = new Set(content.added_tokens.filter((token) => token.special).map(({ id }) => id));
  const [empty = []] = spec.specialTokens ? await encodeAll([''], true) : [];
  return {
    specialTokens: empty.length,
    closingTokens: spec.specialTokens ? around.after.length : 0,
    count: async (texts) => (await encodeAll(texts, false)).map((ids) => ids.length),
    encode: async (texts) => (await encodeAll(texts, spec.specialTokens)).map((ids) => Int32Array.from(ids)),
    isSpecial: (id) => special.has(id),
    largestId: largestId(content.model['vocab']),
  };
}

/** @param vocabulary a list of pieces, or the id of each token */
function largestId(vocabulary: unknown): number {
  if (Array.isArray(vocabulary)) return vocabulary.length - 1;
  return Object.values(vocabulary as Readonly<Record<string, number>>).reduce((a, b) => Math.max(a, b), 0);
}
