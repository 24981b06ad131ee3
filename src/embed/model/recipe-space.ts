import { basename } from 'node:path';
import type { JsonValue, Recipe } from '../../core/interfaces.js';
import { precisions } from '../graph-choice.js';
import type { Model, ModelOptions, Step } from './model.js';

/** The space half of the recipe (docs/design.md §5): everything that decides the vector of a given text. */
export function recipeSpace(model: Model): Record<string, JsonValue> {
  const { encoder, steps } = model;
  return {
    model: model.id,
    revision: model.revision,
    weights: model.hashes.weights,
    tokenizer: model.hashes.tokenizer,
    configs: model.hashes.configs,
    graph: basename(encoder.file),
    precision: model.precision,
    maxTokens: Number.isFinite(model.maxTokens) ? model.maxTokens : null,
    output: encoder.kind === 'graph' ? encoder.output : 'mean of rows',
    padding: encoder.kind === 'graph' ? encoder.paddingSide : null,
    tasks: taskIds(model),
    steps: steps.map(({ kind }) => kind),
    pooling: steps.flatMap((step) => (step.kind === 'pooling' ? [...step.modes] : [])),
    includePrompt: !steps.some((step) => step.kind === 'pooling' && !step.includePrompt),
    dense: steps.flatMap((step) => (step.kind === 'dense' ? [denseRecipe(step)] : [])),
    normalize: steps.some(({ kind }) => kind === 'normalize'),
    dimensions: model.dimensions,
    documentPrompt: model.documentPrompt,
    queryPrompt: model.queryPrompt,
    batchInvariant: model.batchInvariant,
  };
}

function taskIds({ encoder }: Model): JsonValue {
  const task = encoder.kind === 'graph' ? encoder.inputs.find((input) => input.kind === 'task') : undefined;
  return task === undefined ? null : { document: task.document, query: task.query };
}

function denseRecipe({ inFeatures, outFeatures, bias, activation, residual }: Step & { kind: 'dense' }) {
  return { inFeatures, outFeatures, bias, activation, residual };
}

/** The options that load the model of an index as it was when the index was built. */
export function optionsOfSpace(space: Recipe['space']): ModelOptions {
  const number = (value: JsonValue | undefined): number | undefined =>
    typeof value === 'number' ? value : undefined;
  const text = (value: JsonValue | undefined): string | undefined =>
    typeof value === 'string' ? value : undefined;
  const graph = text(space['graph']);
  return {
    precision: precisions.find((name) => name === space['precision']) ?? 'auto',
    graphFile: graph?.endsWith('.onnx') === true ? graph : undefined,
    maxTokens: number(space['maxTokens']),
    dimensions: number(space['dimensions']),
    // It was decided when the index was built.
    forceDimensions: true,
    documentPrompt: text(space['documentPrompt']),
    queryPrompt: text(space['queryPrompt']),
  };
}
