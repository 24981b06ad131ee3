import { describeError } from '../../../core/errors.js';
import { component } from '../tokenizer-file.js';
import { library } from './library.js';
import { Unsupported } from './unsupported.js';

/** Constructs that JavaScript lacks or treats otherwise: `\G`, atomic groups, possessive quantifiers. */
const UNSUPPORTED_CONSTRUCT = /\\G|\(\?>|[*+?}]\+/;

/** The global pattern of a `{ String }` or a `{ Regex }` of tokenizer.json. Throws Unsupported. */
export function compilePattern(value: unknown): RegExp {
  const pattern = component(value);
  const text = pattern?.['String'];
  if (typeof text === 'string') return new RegExp(escapeForRegExp(text), 'gu');
  const source = pattern?.['Regex'];
  if (typeof source !== 'string') throw new Unsupported(`the pattern ${JSON.stringify(value)}`);
  const construct = UNSUPPORTED_CONSTRUCT.exec(source);
  if (construct !== null) throw new Unsupported(`"${construct[0]}" in the pattern ${source}`);
  return translate(source);
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
