import { EmbatchError } from '../../core/errors.js';
import type { Side } from '../compute/encoder.js';
import type { Model, Step } from '../model/model.js';
import type { ReferenceRow } from './reference-file.js';

/** What a model should make of a text. */
export interface Expectation {
  readonly name: string;
  readonly text: string;
  readonly side: Side;
  /** Special tokens included, cut where the model's authors cut; undefined where the row does not say. */
  readonly tokenIds: readonly number[] | undefined;
  /** [dimensions]. */
  readonly vector: readonly number[];
  /** False for vectors that were cut and not normalised again. */
  readonly hasLength: boolean;
}

/** Names that rows give to the prompts of each side. */
const sides: Readonly<Record<string, Side>> = {
  query: 'query',
  document: 'document',
  passage: 'document',
  corpus: 'document',
};

/**
 * Picks from each row what concerns this model: the vector of its pooling and width, and those with a prompt. A row
 * without a vector of the model's width is an error: graph, modules or --dimensions are not those of the reference.
 * Error: MODEL.
 */
export function expectations(rows: readonly ReferenceRow[], model: Model): Expectation[] {
  return rows.flatMap((row, index) => {
    const name = typeof row['name'] === 'string' ? row['name'] : `row ${index + 1}`;
    const own = toExpectation(row, { name, text: row.text, side: sideOf(row), model });
    const prompted = Object.entries((row['with_prompt'] ?? {}) as Record<string, Record<string, unknown>>);
    return [
      own,
      ...prompted.flatMap(([prompt, variant]) => {
        const side = sides[prompt];
        if (side === undefined) return [];
        return [toExpectation(variant, { name: `${name} (${prompt})`, text: row.text, side, model })];
      }),
    ];
  });
}

/** Without prompt, unless the row says so. */
function sideOf(row: ReferenceRow): Side {
  const name = row['prompt_name'] ?? row['side'];
  return typeof name === 'string' ? (sides[name] ?? 'plain') : 'plain';
}

interface Wanted {
  readonly name: string;
  readonly text: string;
  readonly side: Side;
  readonly model: Model;
}

function toExpectation(values: Readonly<Record<string, unknown>>, { model, ...wanted }: Wanted): Expectation {
  const tokenIds = isNumbers(values['input_ids']) ? values['input_ids'] : undefined;
  const found = vectorsIn(values, model).find(({ vector }) => vector.length === model.dimensions);
  if (found === undefined) {
    const widths = vectorsIn(values, model).map(({ key, vector }) => `${key} of ${vector.length}`);
    throw new EmbatchError(
      'MODEL',
      `the model makes vectors of ${model.dimensions}; the reference has none of that width for ${wanted.name}` +
        `${widths.length === 0 ? '' : ` (${widths.join(', ')})`}.`,
    );
  }
  return { ...wanted, tokenIds, vector: found.vector, hasLength: !isCutOnly(found.key) };
}

interface NamedVector {
  readonly key: string;
  readonly vector: readonly number[];
}

/** Candidates in order of preference. */
function vectorsIn(values: Readonly<Record<string, unknown>>, model: Model): NamedVector[] {
  const found: NamedVector[] = [];
  const add = (key: string, vector: unknown): void => {
    if (isNumbers(vector)) found.push({ key, vector });
  };
  // Texts without tokens have no vector, or one of zeros: the same thing here.
  if (values['embedding'] === null) add('embedding', new Array<number>(model.dimensions).fill(0));
  add('embedding', values['embedding']);
  const pooling = model.steps.find((step): step is Step & { kind: 'pooling' } => step.kind === 'pooling');
  const kind = model.steps.some((step) => step.kind === 'normalize') ? 'normalized' : 'raw';
  if (isNumbers(values['embedding'])) add('embedding, cut', cutAndNormalised(values['embedding'], model));
  const ofKind = values[kind];
  if (Array.isArray(ofKind)) add(kind, ofKind);
  else if (pooling !== undefined) {
    const modes = pooling.modes.join('+');
    add(`${kind} ${modes}`, ((ofKind ?? {}) as Record<string, unknown>)[modes]);
  }
  const others = Object.entries(values).filter(([key]) => key !== 'input_ids' && key !== 'embedding');
  for (const [key, value] of others) if (!isCutOnly(key)) add(key, value);
  for (const [key, value] of others) if (isCutOnly(key)) add(key, value);
  return found;
}

/** What a model that cuts should make of a whole vector; undefined where that cannot be told from the vector alone. */
function cutAndNormalised(vector: readonly number[], { steps, dimensions }: Model): number[] | undefined {
  const cut = steps.findIndex((step) => step.kind === 'cut');
  const isDirect = cut > 0 && steps[cut - 1]?.kind !== 'layer-norm';
  if (!isDirect || vector.length < dimensions) return undefined;
  const kept = vector.slice(0, dimensions);
  const norm = Math.hypot(...kept);
  return norm === 0 ? kept : kept.map((value) => value / norm);
}

/** Cut, and not normalised again: its direction counts, its length does not. */
const isCutOnly = (key: string): boolean => /^truncate_\d+$/.test(key);

const isNumbers = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'number');
