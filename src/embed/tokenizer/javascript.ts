import { EmbatchError, describeError } from '../../core/errors.js';
import { createSectioner, type Section } from './javascript/added-tokens.js';
import { createSpeller } from './javascript/model.js';
import { createNormalizer } from './javascript/normalizer.js';
import { createPreTokenizer } from './javascript/pre-tokenizer.js';
import { Unsupported } from './javascript/unsupported.js';
import type { Surroundings } from './special-tokens.js';
import type { TokenizerFile } from './tokenizer-file.js';
import type { EncodeTexts } from './tokenizer.js';

/**
 * The same rules without native code. What is not known to give the reference's ids is refused by name. Error: MODEL.
 */
export function loadJavascript(
  content: TokenizerFile,
  { before, after }: Surroundings,
  file: string,
): EncodeTexts {
  let encode: (text: string) => number[];
  try {
    encode = createPipeline(content);
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error;
    throw new EmbatchError(
      'MODEL',
      `${file} uses ${error.message}, which the JavaScript tokenizer does not do exactly as the native one. ` +
        'Use --tokenizer native, on a machine where that library can be loaded.',
      { cause: error },
    );
  }
  const encodeAll = (texts: readonly string[], addSpecialTokens: boolean): number[][] => {
    try {
      const encoded = texts.map(encode);
      return addSpecialTokens ? encoded.map((ids) => [...before, ...ids, ...after]) : encoded;
    } catch (error) {
      throw new EmbatchError('MODEL', `${file} cannot tokenise a text: ${describeError(error)}`, {
        cause: error,
      });
    }
  };
  return (texts, addSpecialTokens) => Promise.resolve().then(() => encodeAll(texts, addSpecialTokens));
}

/** Added tokens as they stand, the normalizer, added tokens again, the pre-tokenizer, the model. */
function createPipeline(content: TokenizerFile): (text: string) => number[] {
  const normalize = createNormalizer(content.normalizer);
  const preTokenize = createPreTokenizer(content.pre_tokenizer);
  const spell = createSpeller(content.model);
  const isNormalized = (token: Readonly<Record<string, unknown>>): boolean =>
    (token['normalized'] ?? token['special'] !== true) === true;
  const rawSections = createSectioner(
    content.added_tokens.filter((token) => !isNormalized(token)),
    (token) => token.content,
  );
  const normalizedSections = createSectioner(content.added_tokens.filter(isNormalized), (token) =>
    normalize(token.content),
  );
  const ids = (section: Section): number | number[] =>
    typeof section === 'number' ? section : preTokenize(section).flatMap(spell);
  return (text) =>
    rawSections(text)
      .flatMap((section) => (typeof section === 'number' ? section : normalizedSections(normalize(section))))
      // A normalizer may leave nothing, and of nothing a pre-tokenizer must not make a word.
      .filter((section) => section !== '')
      .flatMap(ids);
}
