import { EmbatchError } from '../core/errors.js';
import type { Side } from '../embed/compute/encoder.js';
import type { Model } from '../embed/model/model.js';
import { compare, fault, toleranceOf, type Comparison, type Tolerance } from '../embed/reference/compare.js';
import { expectations, type Expectation } from '../embed/reference/expectations.js';
import { readReferenceFile, type ReferenceRow } from '../embed/reference/reference-file.js';
import { embedTexts, type EmbeddedText, type EmbeddingPool } from './engine.js';

export interface CheckedText extends Comparison {
  /** undefined where it is as it should be. */
  readonly fault: string | undefined;
}

export interface ModelCheck {
  readonly texts: readonly CheckedText[];
  readonly failed: number;
  readonly minCosine: number;
  readonly meanCosine: number;
  readonly maxDifference: number;
  readonly maxBatchDifference: number;
  readonly tolerance: Tolerance;
}

/** Texts that a run compares before it writes anything. */
const TEXTS_BEFORE_RUN = 5;

/** Compares a model with reference vectors, every text alone and all together. Errors: USAGE, MODEL. */
export async function checkModel(
  pool: EmbeddingPool,
  model: Model,
  reference: string,
  minCosine?: number,
): Promise<ModelCheck> {
  const wanted = expectations(await readReferenceFile(reference), model);
  const tolerance = toleranceOf(model);
  return check(pool, wanted, minCosine === undefined ? tolerance : { ...tolerance, minCosine });
}

/**
 * Embeds the first texts of the model's own reference, if it has one: what a run would write is then known to be
 * right before anything is written. Error: MODEL.
 */
export async function checkOwnReference(pool: EmbeddingPool, model: Model): Promise<void> {
  if (model.reference === undefined) return;
  const rows = (await readReferenceFile(model.reference)).filter((row) => isWhole(row, model));
  if (rows.length === 0) return;
  const { texts } = await check(
    pool,
    expectations(rows.slice(0, TEXTS_BEFORE_RUN), model),
    toleranceOf(model),
  );
  const wrong = texts.find((text) => text.fault !== undefined);
  if (wrong === undefined) return;
  throw new EmbatchError(
    'MODEL',
    `${model.id} does not make the vectors that its own ${model.reference} promises: ${wrong.name}: ${wrong.fault ?? ''}. ` +
      `Nothing was written. See \`embatch models check ${model.folder}\`.`,
  );
}

/** With another --max-tokens, longer texts are cut elsewhere than the reference cut them. */
function isWhole(row: ReferenceRow, model: Model): boolean {
  const ids = row['input_ids'];
  if (model.origins['maxTokens'] !== '--max-tokens' || !Array.isArray(ids)) return true;
  const untruncated = row['tokens_untruncated'] ?? ids.length;
  return ids.length <= model.maxTokens && untruncated === ids.length;
}

async function check(
  pool: EmbeddingPool,
  wanted: readonly Expectation[],
  tolerance: Tolerance,
): Promise<ModelCheck> {
  const together = await embedAll(pool, wanted);
  const texts: CheckedText[] = [];
  for (const [index, expected] of wanted.entries()) {
    const [alone] = await embedTexts(pool, [expected.text], expected.side);
    const obtained = together[index];
    if (alone === undefined || obtained === undefined) {
      throw new EmbatchError('BUG', `no vector came back for ${expected.name}`);
    }
    const comparison = compare(expected, {
      tokenIds: obtained.tokenIds,
      together: obtained.vector,
      alone: alone.vector,
    });
    texts.push({ ...comparison, fault: fault(comparison, tolerance) });
  }
  const cosines = texts.map(({ cosine }) => cosine);
  return {
    texts,
    failed: texts.filter((text) => text.fault !== undefined).length,
    minCosine: Math.min(...cosines),
    meanCosine: cosines.reduce((sum, value) => sum + value, 0) / cosines.length,
    maxDifference: Math.max(...texts.map(({ difference }) => difference)),
    maxBatchDifference: Math.max(...texts.map(({ batchDifference }) => batchDifference)),
    tolerance,
  };
}

/** All texts of a side in one call, in the order of the expectations. */
async function embedAll(
  pool: EmbeddingPool,
  wanted: readonly Expectation[],
): Promise<readonly (EmbeddedText | undefined)[]> {
  const results: (EmbeddedText | undefined)[] = wanted.map(() => undefined);
  for (const side of new Set<Side>(wanted.map((expected) => expected.side))) {
    const indices = [...wanted.keys()].filter((index) => wanted[index]?.side === side);
    const embedded = await embedTexts(
      pool,
      indices.map((index) => wanted[index]?.text ?? ''),
      side,
    );
    indices.forEach((index, position) => {
      results[index] = embedded[position];
    });
  }
  return results;
}
