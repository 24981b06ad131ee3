import { EmbatchError } from '../../core/errors.js';
import type { Resolved } from './model.js';

/** The largest limit that is taken for real; configurations carry sentinels such as 1e30. */
const MAX_PLAUSIBLE_TOKENS = 1_000_000;

export interface LengthFacts {
  /** For messages. */
  readonly folder: string;
  /** sentence_bert_config.json or one of its old names. */
  readonly own: { readonly file: string; readonly config: Readonly<Record<string, unknown>> };
  readonly tokenizerConfig: Readonly<Record<string, unknown>>;
  readonly config: Readonly<Record<string, unknown>>;
  /** `--max-tokens`. */
  readonly given: number | undefined;
}

/**
 * Longest input in tokens, special tokens included: what the caller says, else `max_seq_length`, else the smaller one
 * of the tokenizer's `model_max_length` and the positions that the model has. Never more than the positions where
 * they are a table. Truncation in tokenizer.json does not count: it is wrong in popular models. Errors: MODEL; USAGE
 * where the caller asks for more than the model has.
 */
export function resolveMaxTokens(facts: LengthFacts): Resolved<number> {
  const positions = usablePositions(facts.config);
  const isTable = hasPositionTable(facts.config);
  if (facts.given !== undefined) {
    if (positions !== undefined && isTable && facts.given > positions) {
      throw new EmbatchError(
        'USAGE',
        `--max-tokens ${facts.given} is more than the ${positions} positions that the model has.`,
      );
    }
    return { value: facts.given, origin: '--max-tokens' };
  }
  const own = facts.own.config['max_seq_length'];
  if (own !== undefined && own !== null) {
    const value = plausible(own);
    if (value === undefined) {
      throw new EmbatchError(
        'MODEL',
        `${facts.folder}: ${facts.own.file} says max_seq_length ${JSON.stringify(own)}, which no model takes; correct it, ` +
          'or give --max-tokens.',
      );
    }
    if (positions !== undefined && isTable && value > positions) {
      return {
        value: positions,
        origin: `config.json, positions (${facts.own.file} says ${value}, too many)`,
      };
    }
    return { value, origin: `${facts.own.file}, max_seq_length` };
  }
  const limits: Resolved<number>[] = [];
  const tokenizer = plausible(facts.tokenizerConfig['model_max_length']);
  if (tokenizer !== undefined)
    limits.push({ value: tokenizer, origin: 'tokenizer_config.json, model_max_length' });
  if (positions !== undefined) limits.push({ value: positions, origin: 'config.json, positions' });
  const [smallest] = limits.sort((a, b) => a.value - b.value);
  if (smallest !== undefined) return smallest;
  const sentinel = facts.tokenizerConfig['model_max_length'];
  const aside =
    sentinel === undefined ? '' : ` (a model_max_length of ${JSON.stringify(sentinel)} means nothing)`;
  throw new EmbatchError(
    'MODEL',
    `${facts.folder} does not say how many tokens the model takes${aside}: give --max-tokens, or max_seq_length in ` +
      'sentence_bert_config.json, model_max_length in tokenizer_config.json or max_position_embeddings in config.json.',
  );
}

/** Positions of config.json that a text can use, by the names that model families give them. */
function usablePositions(config: Readonly<Record<string, unknown>>): number | undefined {
  const text = (config['text_config'] ?? config) as Readonly<Record<string, unknown>>;
  const positions = ['max_position_embeddings', 'n_positions', 'max_trained_positions']
    .map((name) => plausible(text[name]))
    .find((value) => value !== undefined);
  if (positions === undefined) return undefined;
  const usable = positions - positionOffset(text);
  return usable > 0 ? usable : undefined;
}

const offsetFamilies = /^(roberta|xlm-roberta|xlm-roberta-xl|camembert|mpnet|longformer|data2vec-text|luke)$/;

/** Positions of the RoBERTa family begin after the padding index, so 514 of them carry 512 tokens. */
function positionOffset(config: Readonly<Record<string, unknown>>): number {
  if (!offsetFamilies.test(String(config['model_type']))) return 0;
  const padding = config['pad_token_id'];
  return (typeof padding === 'number' ? padding : 1) + 1;
}

const tableFamilies =
  /^(bert|distilbert|electra|albert|roberta|xlm-roberta|xlm-roberta-xl|camembert|mpnet|clip_text_model|clip)$/;

/** Whether each position has a learnt vector, so that there can be no more of them. */
function hasPositionTable(config: Readonly<Record<string, unknown>>): boolean {
  const kind = config['position_embedding_type'] ?? 'absolute';
  return kind === 'absolute' && tableFamilies.test(String(config['model_type']));
}

function plausible(value: unknown): number | undefined {
  if (typeof value !== 'number' || !Number.isInteger(value)) return undefined;
  return value > 0 && value <= MAX_PLAUSIBLE_TOKENS ? value : undefined;
}
