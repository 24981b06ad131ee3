import { EmbatchError } from '../../core/errors.js';
import type { KnownModel } from './known-models.js';
import type { ModelOptions, Resolved, Step } from './model.js';

export interface Cut {
  readonly dimensions: Resolved<number>;
  /** What cuts to that width: nothing where it is the model's own. */
  readonly steps: readonly Step[];
}

export interface WidthFacts {
  /** Width that the model's modules give. */
  readonly own: number;
  readonly known: KnownModel | undefined;
  readonly config: Readonly<Record<string, unknown>>;
  /** config_sentence_transformers.json. */
  readonly sentenceConfig: Readonly<Record<string, unknown>>;
}

/**
 * Matryoshka: a vector of a model that was trained for it may be cut, and is normalised again, since what is left is
 * shorter than 1. A width that the authors saved (`truncate_dim`) is the default.
 * Errors: USAGE for a width that the model cannot have or was not trained for; MODEL for a saved one.
 */
export function resolveWidth(facts: WidthFacts, options: ModelOptions): Cut {
  const { own, known } = facts;
  const saved = facts.sentenceConfig['truncate_dim'] ?? undefined;
  const wanted = options.dimensions ?? saved;
  if (wanted === undefined || wanted === own) {
    const origin = wanted === undefined ? "the model's modules" : '--dimensions';
    return { dimensions: { value: own, origin }, steps: [] };
  }
  if (options.dimensions === undefined) {
    if (typeof saved !== 'number' || !Number.isInteger(saved) || saved < 1 || saved > own) {
      throw new EmbatchError(
        'MODEL',
        `config_sentence_transformers.json says truncate_dim ${JSON.stringify(saved)}; the model makes ${own}.`,
      );
    }
  } else if (options.dimensions > own) {
    throw new EmbatchError(
      'USAGE',
      `--dimensions ${options.dimensions} is more than the ${own} that the model makes.`,
    );
  } else if (options.forceDimensions !== true) {
    refuseUntrained(options.dimensions, saved, facts);
  }
  const dimensions = Number(wanted);
  const origin =
    options.dimensions === undefined ? 'config_sentence_transformers.json, truncate_dim' : '--dimensions';
  const steps: Step[] = [{ kind: 'cut', dimensions }, { kind: 'normalize' }];
  if (known?.layerNormBeforeCut === true) steps.unshift({ kind: 'layer-norm', file: undefined });
  return { dimensions: { value: dimensions, origin }, steps };
}

function refuseUntrained(dimensions: number, saved: unknown, { config, known, own }: WidthFacts): void {
  if (saved === dimensions) return;
  const declared = config['matryoshka_dimensions'];
  const trained = Array.isArray(declared) ? (declared as unknown[]) : known?.matryoshka;
  if (trained === undefined) {
    throw new EmbatchError(
      'USAGE',
      `nothing says that the model was trained to be cut to --dimensions ${dimensions} (it makes ${own}): cut vectors of ` +
        'such models rank badly. --force-dimensions does it all the same.',
    );
  }
  if (isList(trained) ? trained.includes(dimensions) : dimensions >= trained.min) return;
  throw new EmbatchError(
    'USAGE',
    `the model was trained to be cut to ${isList(trained) ? trained.join(', ') : `${trained.min} or more`}, not to ` +
      `--dimensions ${dimensions}; --force-dimensions does it all the same.`,
  );
}

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);
