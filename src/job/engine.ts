import { EmbatchError } from '../core/errors.js';
import type { Logger } from '../core/interfaces.js';
import { fingerprint } from '../core/recipe.js';
import { grantedCpus } from '../embed/cpus.js';
import type { Side } from '../embed/compute/encoder.js';
import { loadTable } from '../embed/compute/table-encoder.js';
import { createPool, type WorkerPool } from '../embed/pool.js';
import { resolveTokenizerBackend, type TokenizerBackend } from '../embed/tokenizer/backend.js';
import type { Task, TaskResult, WorkerSettings } from './bundle.js';
import type { Embedding } from './embedding.js';

export type EmbeddingPool = WorkerPool<Task, TaskResult>;

const PROBE = 'The quick brown fox jumps over the lazy dog.';

export interface PoolChoices {
  /** undefined: the CPUs that are really granted. */
  readonly workers: number | undefined;
  readonly batchTokens: number;
  readonly tokenizer: 'auto' | TokenizerBackend;
  readonly log: Logger;
}

/** Starts the worker threads; the model is opened by their first task. Error: MODEL. */
export async function startPool(embedding: Embedding, choices: PoolChoices): Promise<EmbeddingPool> {
  // ONNX Runtime 1.29 and later report each session to its makers, and keep an id of the machine for it, unless they
  // find this when they are loaded; set here because a worker's variables do not reach native code.
  process.env['ORT_DISABLE_TELEMETRY'] = '1';
  const { backend, reason } = await resolveTokenizerBackend(choices.tokenizer);
  if (reason !== undefined) choices.log.warn(reason);
  const { encoder } = embedding.model;
  const settings: WorkerSettings = {
    model: embedding.model,
    table: encoder.kind === 'table' ? await loadTable(encoder) : undefined,
    batchTokens: choices.batchTokens,
    tokenizer: backend,
    chunker: embedding.chunker,
    fields: embedding.fields,
    fingerprint: fingerprint(embedding.recipe),
  };
  return createPool<Task, TaskResult, WorkerSettings>({
    file: new URL('./worker.js', import.meta.url),
    settings,
    workers: choices.workers ?? grantedCpus(),
  });
}

/**
 * Opens the model in every worker and embeds a sentence, so that a model that cannot work is found before
 * anything is written. Errors: MODEL, USAGE (chunk options that leave no room for text).
 */
export async function warmUp(pool: EmbeddingPool): Promise<void> {
  const probes = Array.from({ length: pool.workers }, () => embedTexts(pool, [PROBE], 'plain'));
  for (const result of await Promise.allSettled(probes)) {
    if (result.status === 'rejected') throw result.reason;
    const [probe] = result.value;
    if (probe?.vector.every(Number.isFinite) !== true) {
      throw new EmbatchError(
        'MODEL',
        'the model gives vectors that are not finite, even for a plain sentence.',
      );
    }
  }
}

/** What was embedded so far was a test: progress counts from here. */
export function resetTokens(pool: EmbeddingPool): void {
  Atomics.store(pool.control.tokens, 0, 0n);
}

export interface EmbeddedText {
  /** Special tokens included. */
  readonly tokenIds: Int32Array;
  /** [dimensions]. */
  readonly vector: Float32Array;
}

/** Embeds texts together, in batches of the worker's choice; longer ones are cut as the model's authors do. */
export async function embedTexts(
  pool: EmbeddingPool,
  texts: readonly string[],
  side: Side,
): Promise<EmbeddedText[]> {
  const result = await pool.run({ kind: 'texts', texts, side });
  if (result.kind !== 'texts') throw new EmbatchError('BUG', 'a worker answered texts with something else');
  const { inputs, vectors, dimensions } = result;
  return inputs.map((tokenIds, index) => ({
    tokenIds,
    vector: vectors.slice(index * dimensions, (index + 1) * dimensions),
  }));
}
