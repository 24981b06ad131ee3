import { EmbatchError, describeError } from '../../core/errors.js';
import { loadNativeLibrary } from './backend.js';
import type { TokenizerFile } from './tokenizer-file.js';
import type { EncodeTexts } from './tokenizer.js';

/** Texts per native call: one call per text costs more in crossings than in work. */
const BATCH_TEXTS = 64;

/** Hugging Face's own library: the reference. Error: MODEL. */
export async function loadNative(content: TokenizerFile, file: string): Promise<EncodeTexts> {
  const { Tokenizer } = await loadNativeLibrary();
  let native: InstanceType<typeof Tokenizer>;
  try {
    native = Tokenizer.fromString(JSON.stringify(content));
  } catch (error) {
    throw new EmbatchError('MODEL', `${file} is not a tokenizer that can be used: ${describeError(error)}`, {
      cause: error,
    });
  }

  return async (texts, addSpecialTokens) => {
    const ids: number[][] = [];
    for (let start = 0; start < texts.length; start += BATCH_TEXTS) {
      const batch = texts.slice(start, start + BATCH_TEXTS);
      const encodings = await native.encodeBatch(batch, { addSpecialTokens }).catch((error: unknown) => {
        throw new EmbatchError('MODEL', `${file} cannot tokenise a text: ${describeError(error)}`, {
          cause: error,
        });
      });
      for (const encoding of encodings) ids.push(encoding.getIds());
    }
    return ids;
  };
}
