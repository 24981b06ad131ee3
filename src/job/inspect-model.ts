import type { JsonValue } from '../core/interfaces.js';
import { fingerprint } from '../core/recipe.js';
import type { Embedding } from './embedding.js';

/** A model as it would be used: every value of the recipe, and where it comes from. */
export interface ModelInspection {
  readonly model: string;
  readonly revision: string | null;
  readonly folder: string;
  /** `space-text`, see core/recipe.ts. */
  readonly fingerprint: string;
  readonly space: readonly InspectedValue[];
  readonly text: readonly InspectedValue[];
  readonly notices: readonly string[];
}

export interface InspectedValue {
  readonly name: string;
  readonly value: JsonValue;
  readonly origin: string;
}

/** @param optionOrigins where the value of each option comes from */
export function inspectModel(
  { model, recipe }: Embedding,
  optionOrigins: Readonly<Record<string, string>>,
): ModelInspection {
  const list = (
    half: Readonly<Record<string, JsonValue>>,
    origin: (name: string) => string,
  ): InspectedValue[] => Object.entries(half).map(([name, value]) => ({ name, value, origin: origin(name) }));
  return {
    model: model.id,
    revision: model.revision,
    folder: model.folder,
    fingerprint: fingerprint(recipe),
    space: list(recipe.space, (name) => model.origins[name] ?? ''),
    text: list(recipe.text, (name) => optionOrigins[optionOf(name)] ?? 'embatch'),
    notices: model.notices,
  };
}

/** The option behind a name of the text half. */
const optionOf = (name: string): string => (name === 'template' ? 'documentTemplate' : name);
