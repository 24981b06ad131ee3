import { readFile, readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { EmbatchError, describeError } from '../../core/errors.js';
import type { TokenizerSpec } from './tokenizer.js';

/** A part of a tokenizer.json: `type` says what it is, the rest depends on that. */
export type Component = Readonly<Record<string, unknown>>;

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly [option: string]: unknown;
}

/** What a tokenizer.json holds, as far as it was checked. */
export interface TokenizerFile {
  readonly model: Component & { readonly type: string };
  readonly added_tokens: readonly AddedToken[];
  readonly normalizer: Component | null;
  readonly pre_tokenizer: Component | null;
  readonly post_processor: Component | null;
  readonly [part: string]: unknown;
}

/** Ids are held as int32. */
const MAX_ID = 2 ** 31 - 1;

/** Older forms of a vocabulary that a folder may have in place of a tokenizer.json. */
const OLDER_FILES = ['tokenizer.model', 'sentencepiece.bpe.model', 'spiece.model', 'vocab.txt', 'vocab.json'];

/**
 * Reads a tokenizer.json, checks what would give wrong ids later or an error in the middle of a run, and makes the
 * changes that the spec asks for: truncation and padding go, lower-casing comes. Both backends get the result.
 * Error: MODEL.
 */
export async function readTokenizerFile(spec: TokenizerSpec): Promise<TokenizerFile> {
  const parsed = parse(await readText(spec.file), spec.file);
  const model = checkModel(parsed['model'], spec.file);
  const vocabulary = checkVocabulary(model, spec.file);
  checkUnknown(model, vocabulary, spec.file);
  const content = {
    ...parsed,
    model,
    added_tokens: assignIds(parsed['added_tokens'], vocabulary, spec.file),
    normalizer: component(parsed['normalizer']),
    pre_tokenizer: component(parsed['pre_tokenizer']),
    post_processor: component(parsed['post_processor']),
    truncation: null,
    padding: null,
  };
  return spec.lowercase ? { ...content, normalizer: lowercased(content.normalizer) } : content;
}

/**
 * The id of the model's `unk_token`, which words get that the vocabulary cannot spell. Undefined where there is none,
 * and for Unigram models, whose unknown pieces model2vec keeps: it asks for a token that they do not name.
 */
export function unknownId({ model, added_tokens: added }: TokenizerFile): number | undefined {
  const token = model['unk_token'];
  if (typeof token !== 'string' || Array.isArray(model['vocab'])) return undefined;
  const vocabulary = model['vocab'] as Readonly<Record<string, number>>;
  if (Object.hasOwn(vocabulary, token)) return vocabulary[token];
  return added.find(({ content }) => content === token)?.id;
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const names = await readdir(dirname(file)).catch((): string[] => []);
    const older = OLDER_FILES.filter((name) => names.includes(name));
    const instead = older.length === 0 ? '' : `; the folder has only ${older.join(' and ')}`;
    throw new EmbatchError(
      'MODEL',
      `the model has no readable tokenizer: ${file} (${describeError(error)})${instead}. Load it once with ` +
        `transformers' AutoTokenizer.from_pretrained(folder) and save it with save_pretrained(folder): that writes ` +
        'tokenizer.json.',
      { cause: error },
    );
  }
}

function parse(text: string, file: string): Component {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new EmbatchError(
      'MODEL',
      `${file} is not JSON (${describeError(error)}). If it was downloaded, it is incomplete or a pointer to the ` +
        'file: download it again.',
      { cause: error },
    );
  }
  const found = component(value);
  if (found === null) throw unusable(file, 'holds no JSON object');
  return found;
}

function checkModel(value: unknown, file: string): TokenizerFile['model'] {
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
function checkVocabulary(model: TokenizerFile['model'], file: string): ReadonlyMap<string, number> {
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

function checkUnknown(
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

/**
 * Added tokens with the ids that the reference gives them, which are not always those of the file: a token of the
 * vocabulary keeps its id there, the others follow the vocabulary in the order of the file.
 */
function assignIds(
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
    if (token === null || typeof content !== 'string' || integer(token['id']) === undefined) {
      throw unusable(file, `has an added token that is none: ${JSON.stringify(entry).slice(0, 100)}`);
    }
    const id = vocabulary.get(content) ?? ids.get(content) ?? next;
    ids.set(content, id);
    next = Math.max(next, id + 1);
    return { ...token, id, content, special: token['special'] === true };
  });
}

function lowercased(normalizer: Component | null): Component {
  const parts = normalizer?.['type'] === 'Sequence' ? normalizer['normalizers'] : undefined;
  const steps: unknown[] = Array.isArray(parts) ? parts : normalizer === null ? [] : [normalizer];
  if (steps.some((step) => component(step)?.['type'] === 'Lowercase') && normalizer !== null)
    return normalizer;
  return { type: 'Sequence', normalizers: [{ type: 'Lowercase' }, ...steps] };
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
