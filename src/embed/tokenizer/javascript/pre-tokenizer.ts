import { component } from '../checks.js';
import type { Component } from '../tokenizer-file.js';
import { compilePattern, escapeForRegExp, findAll, findAsReference } from './pattern.js';
import { split, splitBehaviors } from './split.js';
import { Unsupported, refuseType } from './unsupported.js';
import { PUNCTUATION, WHITE_SPACE } from './unicode.js';

/** Cuts a normalised text into pieces that the model spells one by one. */
export type PreTokenize = (text: string) => readonly string[];

/** @throws Unsupported */
export function createPreTokenizer(config: Component | null): PreTokenize {
  if (config === null) return (text) => [text];
  switch (config['type']) {
    case 'Sequence': {
      const parts = Array.isArray(config['pretokenizers']) ? (config['pretokenizers'] as unknown[]) : [];
      const steps = parts.map((part) => createPreTokenizer(component(part)));
      return (text) => steps.reduce<readonly string[]>((pieces, step) => pieces.flatMap(step), [text]);
    }
    case 'BertPreTokenizer':
      return (text) =>
        split(text, findWhiteSpace, 'Removed').flatMap((word) => split(word, findPunctuation, 'Isolated'));
    case 'WhitespaceSplit':
      return (text) => split(text, findWhiteSpace, 'Removed');
    case 'ByteLevel':
      return byteLevel(config);
    case 'Metaspace':
      return metaspace(config);
    case 'Split':
      return splitter(config);
    default:
      return refuseType('pre-tokenizer', config['type']);
  }
}

const findWhiteSpace = findAll(new RegExp(WHITE_SPACE, 'gu'));
const findPunctuation = findAll(PUNCTUATION);

/** GPT-2's words. */
const findWords = findAsReference(
  new RegExp(
    `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${WHITE_SPACE}\\p{L}\\p{N}]+|` +
      `${WHITE_SPACE}+(?!\\P{White_Space})|${WHITE_SPACE}+`,
    'gu',
  ),
);

function byteLevel(config: Component): PreTokenize {
  const addSpace = config['add_prefix_space'] !== false;
  const useWords = config['use_regex'] !== false;
  return (text) => {
    const spaced = addSpace && text !== '' && !text.startsWith(' ') ? ` ${text}` : text;
    return (useWords ? split(spaced, findWords, 'Isolated') : [spaced]).map(spellBytes);
  };
}

const encoder = new TextEncoder();

/** A printable character for each byte: itself where it is one in Latin-1, else one after U+00FF. */
const BYTE_CHARACTERS = byteCharacters();

/** All of them: the letters of a byte-level vocabulary. */
export const byteAlphabet: readonly string[] = BYTE_CHARACTERS;

function spellBytes(text: string): string {
  let spelled = '';
  for (const byte of encoder.encode(text)) spelled += BYTE_CHARACTERS[byte] ?? '';
  return spelled;
}

function byteCharacters(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable =
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
    return String.fromCodePoint(printable ? byte : next++);
  });
}

function metaspace(config: Component): PreTokenize {
  const replacement = config['replacement'];
  const scheme = config['prepend_scheme'] ?? (config['add_prefix_space'] === false ? 'never' : 'always');
  if (typeof replacement !== 'string' || Array.from(replacement).length !== 1) {
    throw new Unsupported(`the replacement ${JSON.stringify(replacement)} of the pre-tokenizer Metaspace`);
  }
  if (scheme !== 'always' && scheme !== 'never') {
    throw new Unsupported(`the prepend_scheme ${JSON.stringify(scheme)} of the pre-tokenizer Metaspace`);
  }
  const findStarts = findAll(new RegExp(escapeForRegExp(replacement), 'gu'));
  return (text) => {
    const marked = text.replaceAll(' ', replacement);
    const whole = scheme === 'always' && !marked.startsWith(replacement) ? replacement + marked : marked;
    return config['split'] === false ? [whole] : split(whole, findStarts, 'MergedWithNext');
  };
}

function splitter(config: Component): PreTokenize {
  const find = compilePattern(config['pattern']);
  const behavior = splitBehaviors.find((name) => name === config['behavior']);
  if (behavior === undefined) return refuseType('split behavior', config['behavior']);
  return (text) => split(text, find, behavior, config['invert'] === true);
}
