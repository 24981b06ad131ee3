import type { Tokenizer } from '../../core/interfaces.js';
import { truncateIds } from '../../core/truncate-ids.js';
import type { Model } from '../model/model.js';
import type { TokenizerBackend } from '../tokenizer/backend.js';
import { loadTokenizer, type LoadedTokenizer } from '../tokenizer/tokenizer.js';
import { createEmbedder, type EmbedderOptions, type InputFailed } from './embedder.js';
import type { Side } from './encoder.js';

/** A model opened in this thread, with its tokenizer. */
export interface TextEmbedder {
  readonly tokenizer: Tokenizer;
  /** Token ids with the side's prompt and special tokens, cut where the model's authors cut. */
  encode(texts: readonly string[], side: Side): Promise<Int32Array[]>;
  /**
   * @param inputs token ids as `encode` gives them, at most `maxTokens` each
   * @param onFailure takes what the model fails on, so that all the rest is embedded
   * @returns [inputs.length, dimensions], row-major float32. Rejects as `Embedder.embed` does.
   */
  embed(
    inputs: readonly Int32Array[],
    side: Side,
    onFailure?: InputFailed,
  ): Promise<Float32Array<ArrayBuffer>>;
}

export interface TextEmbedderOptions extends EmbedderOptions {
  readonly tokenizer?: TokenizerBackend | undefined;
}

/** Model calls block the thread, so this belongs into a worker. Error: MODEL. */
export async function createTextEmbedder(
  model: Model,
  { tokenizer: backend, ...options }: TextEmbedderOptions,
): Promise<TextEmbedder> {
  const tokenizer = await loadTokenizer(model.tokenizer, backend);
  const embedder = await createEmbedder(model, options);
  // Added tokens are not tried: some models, such as EmbeddingGemma, have more of them than vectors.
  await embedder.tryId(tokenizer.largestId);
  const promptTokens: Readonly<Record<Side, number>> = {
    document: await countPrompt(model.documentPrompt, tokenizer),
    query: await countPrompt(model.queryPrompt, tokenizer),
    plain: 0,
  };
  return {
    tokenizer,
    async encode(texts, side) {
      const prompt = promptOf(model, side);
      const inputs = texts.map((text) => cutCharacters(prompt + text, model));
      const encoded = await tokenizer.encode(inputs);
      return encoded.map((ids) => truncateIds(ids, model.maxTokens, tokenizer.closingTokens));
    },
    embed: (inputs, side, onFailure) =>
      embedder.embed(inputs, { side, promptTokens: promptTokens[side], onFailure }),
  };
}

function promptOf(model: Model, side: Side): string {
  if (side === 'plain') return '';
  return side === 'document' ? model.documentPrompt : model.queryPrompt;
}

/**
 * Tokens that a prompt takes at the start of an input, as the reference counts them: those of the prompt alone, but
 * for a special token that closes it.
 */
async function countPrompt(prompt: string, tokenizer: LoadedTokenizer): Promise<number> {
  if (prompt === '') return 0;
  const [ids] = await tokenizer.encode([prompt]);
  const last = ids?.at(-1);
  if (ids === undefined || last === undefined) return 0;
  return tokenizer.isSpecial(last) ? ids.length - 1 : ids.length;
}

function cutCharacters(text: string, { encoder }: Model): string {
  const limit = encoder.kind === 'table' ? encoder.maxCharacters : Infinity;
  // A code point has one or two UTF-16 code units.
  return text.length <= limit ? text : Array.from(text).slice(0, limit).join('');
}
