import { assertSameSpace, fingerprint, newIndexInfo } from '../../core/recipe.js';
import { EmbatchError } from '../../core/errors.js';
import type { IndexInfo, SourceObject } from '../../core/interfaces.js';
import { resolveEmbedding, resolveModel } from '../embedding.js';
import { startPool, warmUp, type EmbeddingPool } from '../engine.js';
import type { Verification } from './open-verification.js';
import { proveRecords } from './prove-records.js';
import type { RowGroup } from './object-rows.js';
import type { RereadOptions } from './reread.js';

/** Cosine that vectors of a model keep to whose batches change them a little. */
const MIN_COSINE_IN_BATCHES = 0.999;

/** What it takes to read objects again, opened when it is first needed: most looks need no model. */
export interface Rereader {
  /** Errors: MODEL, USAGE where this job's model is not the index's. */
  open(): Promise<Rereading>;
  /** See prove-records.ts. */
  readonly prove: (object: SourceObject, group: RowGroup) => Promise<string | undefined>;
  close(): Promise<void>;
}

export interface Rereading extends RereadOptions {
  readonly pool: EmbeddingPool;
  /** `space-text` of this job. */
  readonly fingerprint: string;
  /** Least cosine of a vector to what is stored; undefined where they must be the same, bit for bit. */
  readonly minCosine: number | undefined;
}

export function createRereader(verification: Verification): Rereader {
  let opened: Promise<Rereading> | undefined;
  const open = (): Promise<Rereading> => (opened ??= openRereading(verification));
  return {
    open,
    async prove(object, group) {
      return proveRecords(object, group, await open());
    },
    async close() {
      // Where it could not be opened, the error has been thrown.
      const rereading = await opened?.catch(() => undefined);
      await rereading?.pool.close();
    },
  };
}

/** Its own words: to read again changes nothing, so there is nothing to recreate. */
function assertModelOf(index: IndexInfo, wanted: IndexInfo, uri: string): void {
  try {
    assertSameSpace(index, wanted, uri);
  } catch (error) {
    throw new EmbatchError(
      'USAGE',
      `What ${uri} holds can be embedded again only as it was, with ${JSON.stringify(index.recipe.space['model'])}: give --model and ` +
        'the other options of the run.',
      { cause: error },
    );
  }
}

async function openRereading(verification: Verification): Promise<Rereading> {
  const { options, index, sink, source, log, signal } = verification;
  const embedding = resolveEmbedding(await resolveModel(options, { log, index, signal }), options);
  const { model, recipe } = embedding;
  assertModelOf(index, newIndexInfo(recipe, model.dimensions), sink.uri);
  const pool = await startPool(embedding, { ...options, log });
  signal.addEventListener('abort', () => pool.cancel(), { once: true });
  try {
    await warmUp(pool);
  } catch (error) {
    await pool.close();
    throw error;
  }
  return {
    source,
    maxDocumentBytes: options.maxDocumentBytes,
    signal,
    pool,
    fingerprint: fingerprint(recipe),
    minCosine: options.minCosine ?? (model.batchInvariant ? undefined : MIN_COSINE_IN_BATCHES),
  };
}
