import { readFile, readdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EmbatchError, describeError } from '../../core/errors.js';
import { refuseStandIn } from '../stand-in.js';
import {
  assignIds,
  checkModel,
  checkNormalizer,
  checkUnknown,
  checkVocabulary,
  component,
  unusable,
} from './checks.js';
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

/** Older forms of a vocabulary that a folder may have in place of a tokenizer.json. */
const OLDER_FILES = ['tokenizer.model', 'sentencepiece.bpe.model', 'spiece.model', 'vocab.txt', 'vocab.json'];

/**
 * Reads a tokenizer.json, checks what would give wrong ids later or an error in the middle of a run, and makes the
 * changes that the spec asks for: truncation and padding go, lower-casing comes. Both backends get the result.
 * Error: MODEL.
 */
export async function readTokenizerFile(spec: TokenizerSpec): Promise<TokenizerFile> {
  const text = await readText(spec.file);
  refuseStandIn(spec.file, text);
  const parsed = parse(text, spec.file);
  const model = checkModel(parsed['model'], spec.file);
  const vocabulary = checkVocabulary(model, spec.file);
  checkUnknown(model, vocabulary, spec.file);
  const normalizer = component(parsed['normalizer']);
  checkNormalizer(normalizer, spec.file);
  const content = {
    ...parsed,
    model,
    added_tokens: assignIds(parsed['added_tokens'], vocabulary, spec.file),
    normalizer,
    pre_tokenizer: component(parsed['pre_tokenizer']),
    post_processor: component(parsed['post_processor']),
    truncation: null,
    padding: null,
  };
  return spec.lowercase ? { ...content, normalizer: lowercased(normalizer) } : content;
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

function lowercased(normalizer: Component | null): Component {
  const parts = normalizer?.['type'] === 'Sequence' ? normalizer['normalizers'] : undefined;
  const steps: unknown[] = Array.isArray(parts) ? parts : normalizer === null ? [] : [normalizer];
  if (steps.some((step) => component(step)?.['type'] === 'Lowercase') && normalizer !== null)
    return normalizer;
  return { type: 'Sequence', normalizers: [{ type: 'Lowercase' }, ...steps] };
}
