import {
  ALSO_MARKS,
  ALSO_PUNCTUATION,
  NEW_TO_NORMALIZERS,
  NEW_TO_PATTERNS,
  NOT_CONTROLS,
  NOT_MARKS,
  NOT_PUNCTUATION,
} from './unicode-tables.js';

// The reference library carries tables of several ages (Unicode 8, 9, 16 and 17), Node one that depends on its version.
// Where they differ, characters are treated as the reference does, so that ids are equal on every Node.

/** The same set in both. JavaScript's own `\s` is another one: it has U+FEFF and lacks U+0085. */
export const WHITE_SPACE = '\\p{White_Space}';

export const PUNCTUATION = new RegExp(
  `(?![${inClass(NOT_PUNCTUATION)}])[\\p{P}!-/:-@[-\`{-~${inClass(ALSO_PUNCTUATION)}]`,
  'gu',
);

/** Accents that stand alone after NFD. */
export const MARK = new RegExp(`(?![${inClass(NOT_MARKS)}])[\\p{Mn}${inClass(ALSO_MARKS)}]`, 'gu');

/** What BERT's normalizer drops. */
export const CONTROL = new RegExp(
  `[\\0\\uFFFD]|(?![\\t\\n\\r${inClass(NOT_CONTROLS)}])[\\p{Cc}\\p{Cf}\\p{Co}]`,
  'gu',
);

const NEW_TO_NORMALIZERS_SPLIT = new RegExp(`([${inClass(NEW_TO_NORMALIZERS)}])`, 'u');

/** Newer characters stay as they are, and neither compose nor change places with what stands beside them. */
export function normalizeForm(text: string, form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD'): string {
  const parts = text.split(NEW_TO_NORMALIZERS_SPLIT);
  // The separators are every other part.
  return parts.map((part, index) => (index % 2 === 1 ? part : part.normalize(form))).join('');
}

const NEWER = new RegExp(`[${inClass(NEW_TO_PATTERNS)}]`, 'gu');

/** Unassigned forever, of one and of two UTF-16 code units. */
const NONCHARACTERS = ['\uFDD0', '\u{1FFFE}'] as const;

/** A text as long, in which a pattern sees newer characters as it sees unassigned ones. */
export function asSeenByPatterns(text: string): string {
  return text.replace(NEWER, (character) => NONCHARACTERS[character.length === 1 ? 0 : 1]);
}

/** Code points and ranges in hexadecimal as the inside of a character class. */
function inClass(table: string): string {
  return table
    .split(' ')
    .map((range) => range.replace(/[0-9a-f]+/g, '\\u{$&}'))
    .join('');
}
