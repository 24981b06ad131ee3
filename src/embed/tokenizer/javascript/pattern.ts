import { describeError } from '../../../core/errors.js';
import { component } from '../checks.js';
import { library } from './library.js';
import { asSeenByPatterns } from './unicode.js';
import { Unsupported } from './unsupported.js';

/** Constructs that JavaScript lacks or treats otherwise: `\G`, atomic groups, possessive quantifiers. */
const UNSUPPORTED_CONSTRUCT = /\\G|\(\?>|(?<!\\)[*+?]\+/;

/** The matches of a pattern: only where they are and how long they are counts. */
export type Find = (text: string) => Iterable<RegExpExecArray>;

/** By Node's Unicode. */
export function findAll(pattern: RegExp): Find {
  return (text) => text.matchAll(pattern);
}

/** By the Unicode of the reference's regular expressions. */
export function findAsReference(pattern: RegExp): Find {
  return (text) => asSeenByPatterns(text).matchAll(pattern);
}

/** What a `{ String }` or a `{ Regex }` of tokenizer.json finds. Throws Unsupported. */
export function compilePattern(value: unknown): Find {
  const pattern = component(value);
  const text = pattern?.['String'];
  if (typeof text === 'string') return findAll(new RegExp(escapeForRegExp(text), 'gu'));
  const source = pattern?.['Regex'];
  if (typeof source !== 'string') throw new Unsupported(`the pattern ${JSON.stringify(value)}`);
  const construct = UNSUPPORTED_CONSTRUCT.exec(source);
  if (construct !== null) throw new Unsupported(`"${construct[0]}" in the pattern ${source}`);
  return findAsReference(translate(source));
}

/** The library translates from the dialect of the reference's regular expressions. */
function translate(source: string): RegExp {
  try {
    const { pattern } = new library.SplitPreTokenizer({
      type: 'Split',
      pattern: { Regex: source },
      behavior: 'Isolated',
      invert: false,
    });
    if (pattern !== null) return pattern;
  } catch (error) {
    throw new Unsupported(`the pattern ${source} (${describeError(error)})`);
  }
  throw new Unsupported(`the pattern ${source}`);
}

export function escapeForRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
