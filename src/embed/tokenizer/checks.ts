import { basename, dirname } from 'node:path';
import { EmbatchError } from '../../core/errors.js';
import { readCharacterMap } from './character-map.js';
import type { AddedToken, Component, TokenizerFile } from './tokenizer-file.js';

// What would give wrong ids, fail in the middle of a run, or end the process inside the native library.

/** Ids are held as int32. */
const MAX_ID = 2 ** 31 - 1;

export function checkModel(value: unknown, file: string): TokenizerFile['model'] {
  const model = component(value);
  if (model === null) throw unusable(file, 'has no model');
  const type = model['type'] ?? guessType(model);
  if (typeof type !== 'string') throw unusable(file, 'has a model without a type');
  return { ...model, type };
}

/** Files of the library's first versions do not name the type. */
function guessType(model: Component): string | undefined {
  if (Array.isArray(model['vocab'])) return 'Unigram';
  if (Array.isArray(model['merges'])) return 'BPE';
  if ('continuing_subword_prefix' in model) return 'WordPiece';
  return 'unk_token' in model ? 'WordLevel' : undefined;
}

/** Every token with its id. */
export function checkVocabulary(model: TokenizerFile['model'], file: string): ReadonlyMap<string, number> {
  const { vocab } = model;
  const entries: [unknown, unknown][] = Array.isArray(vocab)
    ? vocab.map((entry: unknown, id) => [Array.isArray(entry) ? entry[0] : undefined, id])
    : Object.entries(component(vocab) ?? {});
  if (entries.length === 0) throw unusable(file, `has a ${model.type} model without a vocabulary`);
  const vocabulary = new Map<string, number>();
  for (const [token, id] of entries) {
    const checked = integer(id);
    if (typeof token !== 'string' || checked === undefined) {
      throw unusable(
        file,
        `gives ${JSON.stringify(token)} in its vocabulary the id ${JSON.stringify(id)} where a whole number ` +
          `from 0 to ${String(MAX_ID)} belongs`,
      );
    }
    vocabulary.set(token, checked);
  }
  return vocabulary;
}

export function checkUnknown(
  model: TokenizerFile['model'],
  vocabulary: ReadonlyMap<string, number>,
  file: string,
): void {
  const token = model['unk_token'];
  if (
    ['WordPiece', 'WordLevel'].includes(model.type) &&
    !(typeof token === 'string' && vocabulary.has(token))
  ) {
    throw unusable(
      file,
      `has a ${model.type} model whose token for unknown words, ${JSON.stringify(token)}, is not in its ` +
        'vocabulary',
    );
  }
  const id = model['unk_id'];
  if (model.type === 'Unigram' && (id ?? null) !== null && (integer(id) ?? MAX_ID) >= vocabulary.size) {
    throw unusable(
      file,
      `has a Unigram model whose id for unknown pieces, ${JSON.stringify(id)}, is not one of its ` +
        `${String(vocabulary.size)} pieces`,
    );
  }
}

/** Each of them true or false. */
const TOKEN_OPTIONS = ['single_word', 'lstrip', 'rstrip', 'normalized', 'special'];

/**
 * Added tokens with the ids that the reference gives them, which are not always those of the file: a token of the
 * vocabulary keeps its id there, the others follow the vocabulary in the order of the file.
 */
export function assignIds(
  value: unknown,
  vocabulary: ReadonlyMap<string, number>,
  file: string,
): readonly AddedToken[] {
  if ((value ?? null) !== null && !Array.isArray(value))
    throw unusable(file, 'has added_tokens that are no list');
  const ids = new Map<string, number>();
  let next = vocabulary.size;
  return ((value ?? []) as unknown[]).map((entry) => {
    const token = component(entry);
    const content = token?.['content'];
    const complete = TOKEN_OPTIONS.every((option) => typeof token?.[option] === 'boolean');
    if (token === null || typeof content !== 'string' || integer(token['id']) === undefined || !complete) {
      throw unusable(file, `has an added token that is not complete: ${JSON.stringify(entry).slice(0, 200)}`);
    }
    const id = vocabulary.get(content) ?? ids.get(content) ?? next;
    ids.set(content, id);
    next = Math.max(next, id + 1);
    return { ...token, id, content, special: token['special'] === true };
  });
}

/** Maps of characters, wherever in the normalizer they stand. */
export function checkNormalizer(normalizer: Component | null, file: string): void {
  const parts = normalizer?.['normalizers'];
  if (Array.isArray(parts)) for (const part of parts) checkNormalizer(component(part), file);
  if (normalizer?.['type'] !== 'Precompiled') return;
  if (readCharacterMap(normalizer['precompiled_charsmap']) === undefined) {
    throw unusable(file, 'has a Precompiled normalizer whose map of characters is broken');
  }
}

/** Says that the file holds something it must not, and what can be done about it. */
export function unusable(file: string, what: string): EmbatchError {
  return new EmbatchError(
    'MODEL',
    `${basename(dirname(file))}/${basename(file)} ${what}. Take the tokenizer.json of the model's authors. (${file})`,
  );
}

export function component(value: unknown): Component | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Component) : null;
}

function integer(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_ID
    ? value
    : undefined;
}
