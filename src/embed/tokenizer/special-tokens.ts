import { component, unusable } from './checks.js';
import type { Component, TokenizerFile } from './tokenizer-file.js';

/** Ids that the file puts before and after the ids of one text. */
export interface Surroundings {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

const NOTHING: Surroundings = { before: [], after: [] };

/**
 * What the file's post-processor adds to a text. Refuses a special token whose id is not the one that the vocabulary
 * has for it. Error: MODEL.
 */
export function surroundings(content: TokenizerFile, file: string): Surroundings {
  const ids = new Map(content.added_tokens.map((token) => [token.content, token.id]));
  const { vocab } = content.model;
  if (Array.isArray(vocab)) (vocab as [string, number][]).forEach(([token], id) => ids.set(token, id));
  const idOf = (token: string): number | undefined =>
    ids.get(token) ??
    (component(vocab) !== null && Object.hasOwn(vocab as object, token)
      ? (vocab as Record<string, number>)[token]
      : undefined);

  const check = (token: unknown, id: unknown): number => {
    if (typeof token !== 'string' || typeof id !== 'number' || idOf(token) !== id) {
      throw unusable(
        file,
        `adds the special token ${JSON.stringify(token)} with the id ${JSON.stringify(id)} to every text, where its ` +
          `vocabulary has ${typeof token === 'string' && idOf(token) !== undefined ? String(idOf(token)) : 'no such token'}`,
      );
    }
    return id;
  };
  return ofProcessor(content.post_processor, check, file);
}

type Check = (token: unknown, id: unknown) => number;

function ofProcessor(processor: Component | null, check: Check, file: string): Surroundings {
  if (processor === null) return NOTHING;
  switch (processor['type']) {
    case 'ByteLevel':
      return NOTHING;
    case 'BertProcessing':
    case 'RobertaProcessing':
      return { before: [pair(processor['cls'], check)], after: [pair(processor['sep'], check)] };
    case 'TemplateProcessing':
      return ofTemplate(processor, check, file);
    case 'Sequence': {
      const parts = processor['processors'];
      const inner = (Array.isArray(parts) ? parts : []).map((part) =>
        ofProcessor(component(part), check, file),
      );
      return inner.reduce(
        (around, { before, after }) => ({
          before: [...before, ...around.before],
          after: [...around.after, ...after],
        }),
        NOTHING,
      );
    }
    default:
      throw unusable(file, `has a post-processor of an unknown type, ${JSON.stringify(processor['type'])}`);
  }
}

/** `["[CLS]", 101]` */
function pair(value: unknown, check: Check): number {
  const [token, id] = Array.isArray(value) ? (value as unknown[]) : [];
  return check(token, id);
}

function ofTemplate(processor: Component, check: Check, file: string): Surroundings {
  const pieces = Array.isArray(processor['single']) ? (processor['single'] as unknown[]) : [];
  const sequence = pieces.findIndex((piece) => component(component(piece)?.['Sequence'])?.['id'] === 'A');
  if (sequence < 0) throw unusable(file, 'has a template without a place for the text');
  const known = component(processor['special_tokens']);
  const idsOf = (piece: unknown): number[] => {
    const name = component(component(piece)?.['SpecialToken'])?.['id'];
    const token = typeof name === 'string' ? component(known?.[name]) : null;
    const { ids, tokens } = token ?? {};
    if (!Array.isArray(ids) || !Array.isArray(tokens) || ids.length !== tokens.length) {
      throw unusable(file, `has a template with a part that is not understood: ${JSON.stringify(piece)}`);
    }
    return ids.map((id, index) => check(tokens[index], id));
  };
  return {
    before: pieces.slice(0, sequence).flatMap(idsOf),
    after: pieces.slice(sequence + 1).flatMap(idsOf),
  };
}
