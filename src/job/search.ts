import { EmbatchError } from '../core/errors.js';
import type { Hit, IndexInfo, Logger } from '../core/interfaces.js';
import { options as declared, type Options } from '../core/options.js';
import { assertSameSpace, newIndexInfo } from '../core/recipe.js';
import { bundledModels } from '../embed/store/bundled.js';
import { formatHubRef } from '../embed/store/model-ref.js';
import { recipeSpace } from '../embed/model/recipe-space.js';
import { ask, requireIndex } from '../search/query.js';
import { modelOfIndex, resolveEmbedding } from './embedding.js';
import { embedTexts, startPool } from './engine.js';
import { createSink } from './registry.js';
import { newRunId } from './run-id.js';

export interface SearchResult {
  readonly question: string;
  readonly sink: string;
  readonly model: string;
  readonly hits: readonly Hit[];
}

/**
 * Asks an index as it was built: its recipe names the model, and a model that differs in anything that decides a
 * vector is refused. Errors: USAGE, MODEL, SINK.
 */
export async function searchIndex(question: string, options: Options, log: Logger): Promise<SearchResult> {
  const sink = await createSink(options.sink, options, {
    log,
    run: newRunId(),
    shard: { index: 0, count: 1 },
  });
  try {
    const index = await requireIndex(sink);
    const model = await modelOfIndex(index, modelOf(index, sink.uri, options), log);
    const embedding = resolveEmbedding(model, options);
    // Only the space must agree: how the documents were cut does not concern a question.
    const recipe = { space: recipeSpace(model), text: index.recipe.text };
    assertSameSpace(index, newIndexInfo(recipe, model.dimensions), sink.uri);
    const pool = await startPool(embedding, { ...options, workers: 1, log });
    try {
      const hits = await ask(sink, question, options.k, {
        index,
        embed: async (text) => {
          const [embedded] = await embedTexts(pool, [text], 'query');
          return embedded?.vector ?? new Float32Array();
        },
      });
      return { question, sink: sink.uri, model: model.id, hits };
    } finally {
      await pool.close();
    }
  } finally {
    await sink.close();
  }
}

/** The model that the index was built with, unless one is named. Error: USAGE where it must be. */
function modelOf(index: IndexInfo, sink: string, options: Options): string {
  if (options.model !== declared.model.default) return options.model;
  const { model, revision } = index.recipe.space;
  if (typeof model !== 'string') return options.model;
  if (typeof revision === 'string') return formatHubRef({ id: model, revision });
  const bundled = bundledModels.find((name) => name === model);
  if (bundled !== undefined) return bundled;
  throw new EmbatchError(
    'USAGE',
    `${sink} was built with the model ${model}, from a folder or from S3, which cannot be found by its name alone: ` +
      'name it with --model.',
  );
}
