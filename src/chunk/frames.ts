import { EmbatchError } from '../core/errors.js';
import type { Document, Tokenizer } from '../core/interfaces.js';
import { MIN_TEXT_TOKENS } from './options.js';
import { HEADING, TITLE, fieldText, render } from './template.js';
import type { Template } from './template.js';
import { countEach, firstWords } from './measure.js';

/** What stands around the text of a chunk in its model input. */
export interface Frame {
  readonly prompt: string;
  readonly before: string;
  readonly after: string;
  /** Tokens of the input beside the text, special tokens included. */
  readonly tokens: number;
  /** Tokens of title, heading and fields that were left out because they took too much room. */
  readonly truncatedTokens: number;
}

/** What is tokenised and embedded for a chunk with this text. */
export function modelInput(frame: Pick<Frame, 'prompt' | 'before' | 'after'>, text: string): string {
  return frame.prompt + (frame.before + text + frame.after).trim();
}

export interface FrameLimits {
  readonly template: Template;
  readonly prompt: string;
  /** See {@link textRoom}. */
  readonly room: number;
}

/** The frames of one document: one for each heading path, or a single one where the template has no heading. */
export interface Frames {
  /** Makes the frames of these heading paths; needed before {@link of}. */
  load(headings: readonly (string | undefined)[]): Promise<void>;
  of(heading: string | undefined): Frame;
}

/** A frame with all of title, heading and fields, however long; its `tokens` are not counted. */
export function wholeFrame(
  template: Template,
  prompt: string,
  document: Document,
  heading: string | undefined,
): Omit<Frame, 'tokens'> {
  return fill(template, prompt, valuesOf(template, document, heading));
}

/**
 * Frames that leave room for the text. Title, heading and fields together get at most half of what special
 * tokens, prompt and the template's own words leave: the text is what is being embedded, and a title as long
 * as a chunk would otherwise leave nothing for it. What is cut, by whole words, is counted in
 * `truncatedTokens`.
 */
export function createFrames(limits: FrameLimits, document: Document, tokenizer: Tokenizer): Frames {
  const { template, prompt, room } = limits;
  const valuesLimit = Math.floor(room / 2);
  const usesHeading = template.names.includes(HEADING);
  const frames = new Map<string, Frame>();
  const keyOf = (heading: string | undefined): string => (usesHeading ? (heading ?? '') : '');

  return {
    load: async (headings) => {
      const missing = [...new Set(headings.map(keyOf))].filter((key) => !frames.has(key));
      const values = await limitValues(
        missing.map((heading) => valuesOf(template, document, heading)),
        valuesLimit,
        tokenizer,
      );
      const filled = values.map(({ kept, cutTokens }) => ({
        ...fill(template, prompt, kept),
        truncatedTokens: cutTokens,
      }));
      const counts = await tokenizer.count(filled.map((frame) => modelInput(frame, '')));
      for (const [index, frame] of filled.entries()) {
        const tokens = tokenizer.specialTokens + (counts[index] ?? 0);
        frames.set(missing[index] ?? '', { ...frame, tokens });
      }
    },
    of: (heading) => {
      const frame = frames.get(keyOf(heading));
      if (frame === undefined)
        throw new EmbatchError('BUG', `No frame was made for heading ${heading ?? ''}.`);
      return frame;
    },
  };
}

export interface RoomOptions {
  readonly template: Template;
  readonly prompt: string;
  /** Longest model input. */
  readonly chunkTokens: number;
}

/**
 * Tokens that special tokens, prompt and template leave for the text where all values are empty.
 * Throws USAGE where that is too little for any document.
 */
export async function textRoom(
  { template, prompt, chunkTokens }: RoomOptions,
  tokenizer: Tokenizer,
): Promise<number> {
  const [fixed = 0] = await tokenizer.count([modelInput(fill(template, prompt, new Map()), '')]);
  const room = chunkTokens - tokenizer.specialTokens - fixed;
  if (room < MIN_TEXT_TOKENS) {
    throw new EmbatchError(
      'USAGE',
      `Chunks of ${chunkTokens} tokens leave ${Math.max(0, room)} for text beside ${tokenizer.specialTokens} special ` +
        `tokens and ${fixed} of prompt and template; at least ${MIN_TEXT_TOKENS} are needed. Raise --chunk-tokens ` +
        'or shorten the prompt or --document-template.',
    );
  }
  return room;
}

function fill(
  template: Template,
  prompt: string,
  values: ReadonlyMap<string, string>,
): Omit<Frame, 'tokens'> {
  return {
    prompt,
    before: render(template.before, values),
    after: render(template.after, values),
    truncatedTokens: 0,
  };
}

function valuesOf(template: Template, document: Document, heading: string | undefined): Map<string, string> {
  return new Map(
    template.names.map((name) => {
      if (name === TITLE) return [name, (document.title ?? '').trim()];
      if (name === HEADING) return [name, heading ?? ''];
      return [name, fieldText(document.fields, name)];
    }),
  );
}

interface LimitedValues {
  readonly kept: ReadonlyMap<string, string>;
  readonly cutTokens: number;
}

/** Brings each set of values below `limit` tokens. */
async function limitValues(
  sets: readonly ReadonlyMap<string, string>[],
  limit: number,
  tokenizer: Tokenizer,
): Promise<LimitedValues[]> {
  const counts = await countEach(
    tokenizer,
    sets.flatMap((values) => [...values.values()]),
  );
  const limited: LimitedValues[] = [];
  for (const values of sets) {
    const tokens = counts.splice(0, values.size);
    const fits = tokens.reduce((sum, count) => sum + count, 0) <= limit;
    limited.push(fits ? { kept: values, cutTokens: 0 } : await shareTokens(values, tokens, limit, tokenizer));
  }
  return limited;
}

/** Shares `limit` tokens among values: short ones stay whole, the others get equal parts of the rest. */
async function shareTokens(
  values: ReadonlyMap<string, string>,
  counts: readonly number[],
  limit: number,
  tokenizer: Tokenizer,
): Promise<LimitedValues> {
  const ascending = [...values]
    .map(([name, text], index) => ({ name, text, tokens: counts[index] ?? 0 }))
    .sort((a, b) => a.tokens - b.tokens);
  const kept = new Map<string, string>();
  let left = limit;
  let cutTokens = 0;
  for (const [index, value] of ascending.entries()) {
    const share = Math.floor(left / (ascending.length - index));
    const part = value.tokens <= share ? value : await firstWords(tokenizer, value.text, share);
    kept.set(value.name, part.text);
    cutTokens += value.tokens - part.tokens;
    left -= part.tokens;
  }
  return { kept, cutTokens };
}
