import type { ChunkerOptions } from '../chunk/chunker.js';
import { parseTemplate } from '../chunk/template.js';
import { EmbatchError } from '../core/errors.js';
import type { Abortable, FieldMapping, IndexInfo, Logger, Recipe } from '../core/interfaces.js';
import type { Options } from '../core/options.js';
import { loadModel } from '../embed/model/load-model.js';
import type { Model } from '../embed/model/model.js';
import { optionsOfSpace, recipeSpace } from '../embed/model/recipe-space.js';
import { modelId } from '../embed/store/model-ref.js';
import { openModel } from '../embed/store/open-model.js';

/** Raised when the same bytes are read to another text: a part of the recipe's text half. */
const EXTRACTION_VERSION = 1;
/** Longest chunk by default, even of models that take more: beyond it, retrieval gets worse. */
const DEFAULT_MAX_CHUNK_TOKENS = 256;

/** The model and what follows from it: how documents are cut, and the recipe of the vectors. */
export interface Embedding {
  readonly model: Model;
  readonly chunker: ChunkerOptions;
  readonly fields: FieldMapping;
  readonly recipe: Recipe;
}

export interface ResolveContext extends Abortable {
  readonly log: Logger;
  /** What the sink says of itself; its graph is what `--precision auto` means for the same model. */
  readonly index?: IndexInfo | undefined;
}

/** The model of a job, fetched if need be. Errors: MODEL, USAGE. */
export async function resolveModel(options: Options, context: ResolveContext): Promise<Model> {
  const { log, signal, index } = context;
  const space = index?.recipe.space;
  const isSame = space?.['model'] === modelId(options.model) && options.precision === 'auto';
  const graphFile = isSame ? optionsOfSpace(space).graphFile : undefined;
  const location = await openModel(options.model, {
    precision: options.precision,
    graphFile,
    anonymous: options.anonymous,
    log,
    signal,
  });
  return loadModel(location, {
    precision: options.precision,
    graphFile,
    maxTokens: options.maxTokens,
    dimensions: options.dimensions,
    forceDimensions: options.forceDimensions,
    documentPrompt: options.documentPrompt,
    queryPrompt: options.queryPrompt,
  });
}

/** The model that an index was built with: a query is embedded the way the documents were. Errors: MODEL, USAGE. */
export async function modelOfIndex(index: IndexInfo, ref: string, log: Logger): Promise<Model> {
  const built = optionsOfSpace(index.recipe.space);
  const location = await openModel(ref, { precision: built.precision, graphFile: built.graphFile, log });
  return loadModel(location, built);
}

/** How documents are cut for a model, and the recipe that follows. Checks the chunk options. Error: USAGE. */
export function resolveEmbedding(model: Model, options: Options): Embedding {
  parseTemplate(options.documentTemplate);
  if (options.chunker === 'none' && options.chunkTokens !== undefined) {
    throw new EmbatchError(
      'USAGE',
      '--chunk-tokens has no meaning with --chunker none: leave one of them out.',
    );
  }
  if (options.chunker === 'none' && options.chunkOverlap > 0) {
    throw new EmbatchError(
      'USAGE',
      '--chunk-overlap has no meaning with --chunker none: leave one of them out.',
    );
  }
  const chunkTokens = options.chunkTokens ?? Math.min(model.maxTokens, DEFAULT_MAX_CHUNK_TOKENS);
  if (chunkTokens > model.maxTokens) {
    throw new EmbatchError(
      'USAGE',
      `--chunk-tokens ${chunkTokens} is more than the ${model.maxTokens} tokens that ${model.id} takes.`,
    );
  }
  const chunker: ChunkerOptions = {
    chunker: options.chunker,
    chunkTokens: options.chunker === 'none' ? model.maxTokens : chunkTokens,
    chunkOverlap: options.chunkOverlap,
    overflow: options.overflow,
    maxTokens: model.maxTokens,
    template: options.documentTemplate,
    prompt: model.documentPrompt,
  };
  const fields: FieldMapping = {
    textField: options.textField,
    idField: options.idField,
    titleField: options.titleField,
  };
  const text: Recipe['text'] = {
    extraction: EXTRACTION_VERSION,
    chunker: chunker.chunker,
    chunkTokens: Number.isFinite(chunker.chunkTokens) ? chunker.chunkTokens : null,
    chunkOverlap: chunker.chunkOverlap,
    overflow: chunker.overflow,
    template: chunker.template,
    textField: fields.textField ?? null,
    titleField: fields.titleField ?? null,
    idField: fields.idField ?? null,
  };
  return { model, chunker, fields, recipe: { space: recipeSpace(model), text } };
}
