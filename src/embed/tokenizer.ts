import { readFile } from 'node:fs/promises';
import { EmbatchError, describeError } from '../core/errors.js';
import type { Tokenizer } from '../core/interfaces.js';

/** Native calls work on their own threads; more of them than workers would only get in each other's way. */
const BATCH_TEXTS = 64;

/**
 * Loads a `tokenizer.json`. Truncation and padding that are baked into the file are removed: those of several
 * popular models are wrong (all-MiniLM-L6-v2 says 128 where the model takes 256). Error: MODEL.
 */
export async function loadTokenizer(file: string): Promise<Tokenizer> {
  process.env['RAYON_NUM_THREADS'] ??= '1';
  const { Tokenizer: NativeTokenizer } = await import('tokenizers');
  const json = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new EmbatchError(
      'MODEL',
      `the model has no readable tokenizer: ${file} (${describeError(error)}). ` +
        'A model folder needs the tokenizer.json of its authors.',
      { cause: error },
    );
  });
  let native: InstanceType<typeof NativeTokenizer>;
  try {
    native = NativeTokenizer.fromString(json);
  } catch (error) {
    throw new EmbatchError('MODEL', `${file} is not a tokenizer that can be used: ${describeError(error)}`, {
      cause: error,
    });
  }
  native.disableTruncation();
  native.disablePadding();

  const encodeAll = async (texts: readonly string[], addSpecialTokens: boolean): Promise<number[][]> => {
    const ids: number[][] = [];
    for (let start = 0; start < texts.length; start += BATCH_TEXTS) {
      const encodings = await native.encodeBatch(texts.slice(start, start + BATCH_TEXTS), {
        addSpecialTokens,
      });
      for (const encoding of encodings) ids.push(encoding.getIds());
    }
    return ids;
  };

  const [empty = []] = await encodeAll([''], true);
  return {
    specialTokens: empty.length,
    count: async (texts) => (await encodeAll(texts, false)).map((ids) => ids.length),
    encode: async (texts) => (await encodeAll(texts, true)).map((ids) => Int32Array.from(ids)),
  };
}
