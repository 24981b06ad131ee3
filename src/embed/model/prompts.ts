import { EmbatchError } from '../../core/errors.js';
import type { KnownModel } from './known-models.js';
import type { ModelOptions, Resolved } from './model.js';

/** Names under which models keep the prompt of each side; the first that is not empty counts. */
const documentNames = ['document', 'passage', 'corpus'] as const;
const queryNames = ['query'] as const;

export interface Prompts {
  readonly document: Resolved<string>;
  readonly query: Resolved<string>;
  readonly notices: readonly string[];
}

/**
 * The prompts of both sides: what the caller says, else the model's own, else what its card says, else none.
 *
 * Newer versions of sentence-transformers write an empty `query` and `document` into every model they save. An empty
 * prompt therefore says nothing: a `passage: ` beside it, or the model's card, counts.
 *
 * @param config content of config_sentence_transformers.json
 * Error: MODEL where the file contradicts itself.
 */
export function resolvePrompts(
  config: Readonly<Record<string, unknown>>,
  known: KnownModel | undefined,
  options: Pick<ModelOptions, 'documentPrompt' | 'queryPrompt'>,
): Prompts {
  const saved = savedPrompts(config);
  const fallback = defaultName(config, saved);
  const side = (
    given: string | undefined,
    flag: string,
    names: readonly string[],
    card: string | undefined,
  ): Resolved<string> => {
    if (given !== undefined) return { value: given, origin: flag };
    const name = [...names, ...fallback].find((candidate) => (saved.get(candidate) ?? '') !== '');
    if (name !== undefined) {
      return { value: saved.get(name) ?? '', origin: `config_sentence_transformers.json, prompt ${name}` };
    }
    if (card !== undefined) return { value: card, origin: "the model's card" };
    return { value: '', origin: 'none given' };
  };
  const document = side(
    options.documentPrompt,
    '--document-prompt',
    documentNames,
    known?.documentPrompt ?? (known?.queryPrompt === undefined ? undefined : ''),
  );
  const query = side(options.queryPrompt, '--query-prompt', queryNames, known?.queryPrompt);
  return { document, query, notices: unusedPrompts(saved, document, query) };
}

function savedPrompts(config: Readonly<Record<string, unknown>>): Map<string, string> {
  const prompts = config['prompts'] ?? {};
  if (typeof prompts !== 'object' || Array.isArray(prompts)) throw noText('prompts', prompts);
  const saved = new Map<string, string>();
  for (const [name, prompt] of Object.entries(prompts) as [string, unknown][]) {
    if (typeof prompt !== 'string' && prompt !== null) throw noText(`prompt ${name}`, prompt);
    saved.set(name, prompt ?? '');
  }
  return saved;
}

function noText(what: string, value: unknown): EmbatchError {
  return new EmbatchError(
    'MODEL',
    `config_sentence_transformers.json: ${what} is ${JSON.stringify(value)}, where text belongs.`,
  );
}

function defaultName(
  config: Readonly<Record<string, unknown>>,
  saved: ReadonlyMap<string, string>,
): string[] {
  const name = config['default_prompt_name'];
  if (name === undefined || name === null) return [];
  if (typeof name === 'string' && saved.has(name)) return [name];
  throw new EmbatchError(
    'MODEL',
    `config_sentence_transformers.json names ${JSON.stringify(name)} as its default prompt, and has only ` +
      `${[...saved.keys()].join(', ') || 'none'}.`,
  );
}

/** A model with prompts none of which is used has probably been misunderstood. */
function unusedPrompts(
  saved: ReadonlyMap<string, string>,
  document: Resolved<string>,
  query: Resolved<string>,
): string[] {
  const names = [...saved].filter(([, prompt]) => prompt !== '').map(([name]) => name);
  if (names.length === 0 || document.origin !== 'none given' || query.origin !== 'none given') return [];
  return [
    `the model has prompts called ${names.join(', ')}, none of which is known to be for documents or queries; none ` +
      'is used. Choose with --document-prompt and --query-prompt.',
  ];
}
