import type { ChunkerOptions } from '../chunk/chunker.js';
import { parseTemplate } from '../chunk/template.js';
import { EmbatchError } from '../core/errors.js';
import type { FieldMapping, Recipe } from '../core/interfaces.js';
import type { Options } from '../core/options.js';
import { loadModel, recipeSpace, type Model } from '../embed/model.js';

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

/** Reads the model's own files and checks the chunk options against them. Errors: MODEL, USAGE. */
export async function resolveEmbedding(options: Options): Promise<Embedding> {
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
  const model = await loadModel({ ref: options.model });
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
    chunkTokens: chunker.chunkTokens,
    chunkOverlap: chunker.chunkOverlap,
    overflow: chunker.overflow,
    template: chunker.template,
    textField: fields.textField ?? null,
    titleField: fields.titleField ?? null,
  };
  return { model, chunker, fields, recipe: { space: recipeSpace(model), text } };
}
