// Prints the tables of src/embed/tokenizer/javascript/unicode-tables.ts: where the native tokenizer library's own
// Unicode tables differ from the Unicode of this Node. Run it after an update of that library, on the newest Node:
//
//   node scripts/tokenizer-unicode.mjs > src/embed/tokenizer/javascript/unicode-tables.ts
import {
  bertNormalizer,
  bertPreTokenizer,
  nfdNormalizer,
  nfkdNormalizer,
  nfcNormalizer,
  nfkcNormalizer,
  Tokenizer,
} from 'tokenizers';

const characters = Array.from({ length: 0x110000 }, (_, code) => code)
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code));

const between = (character) => `a${character}b`;

const marks = bertNormalizer({
  cleanText: false,
  handleChineseChars: false,
  stripAccents: true,
  lowercase: false,
});
const cleaner = bertNormalizer({
  cleanText: true,
  handleChineseChars: false,
  stripAccents: false,
  lowercase: false,
});
const words = bertPreTokenizer();
const unassigned = Tokenizer.fromString(
  JSON.stringify({
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'Split', pattern: { Regex: '\\p{Cn}' }, behavior: 'Isolated', invert: false },
    post_processor: null,
    decoder: null,
    model: { type: 'WordLevel', vocab: { a: 0 }, unk_token: 'a' },
  }),
).getPreTokenizer();

const isMark = (character) => marks.normalizeString(between(character)) === 'ab';
const isDropped = (character) => cleaner.normalizeString(between(character)) === 'ab';
const isPunctuation = (character) => words.preTokenizeString(between(character)).length === 3;
const isUnassigned = (character) => unassigned.preTokenizeString(between(character)).length === 3;

const forms = [
  ['NFC', nfcNormalizer()],
  ['NFD', nfdNormalizer()],
  ['NFKC', nfkcNormalizer()],
  ['NFKD', nfkdNormalizer()],
];

/** Alone, and among marks that stand before or after it in canonical order. */
const neighbours = (character) => [
  character,
  `a${character}\u0301`,
  `a${character}\u0323`,
  `a${character}\u0334`,
  `a\u0301${character}`,
  `a\u0345${character}`,
  `a\u05b0${character}`,
];

function isNewToNormalizer(character) {
  return forms.some(([form, native]) =>
    neighbours(character).some((text) => native.normalizeString(text) !== text.normalize(form)),
  );
}

const newToNormalizer = new Set(characters.filter(isNewToNormalizer));
// What they are composed of is as new as they are: the reference does not compose it either.
for (const character of [...newToNormalizer]) {
  for (const part of character.normalize('NFD')) if (part > '\uffff') newToNormalizer.add(part);
}

function ranges(set) {
  const found = [];
  for (const character of characters) {
    if (!set.has(character)) continue;
    const code = character.codePointAt(0);
    const last = found.at(-1);
    if (last?.[1] === code - 1) last[1] = code;
    else found.push([code, code]);
  }
  return found
    .map(([first, last]) =>
      first === last ? first.toString(16) : `${first.toString(16)}-${last.toString(16)}`,
    )
    .join(' ');
}

function difference(isSo, unicode) {
  return {
    without: ranges(new Set(characters.filter((character) => unicode.test(character) && !isSo(character)))),
    added: ranges(new Set(characters.filter((character) => !unicode.test(character) && isSo(character)))),
  };
}

function constant(comment, name, value) {
  const lines = value.match(/.{1,100}(?: |$)/g) ?? [''];
  const text = lines.map((line) => `  '${line}'`).join(' +\n');
  return `/** ${comment} */\nexport const ${name} =\n${text};\n`;
}

const punctuation = difference(isPunctuation, /[\p{P}!-/:-@[-`{-~]/u);
const mark = difference(isMark, /\p{Mn}/u);
const dropped = difference(isDropped, /[\0\uFFFD]|(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}]/u);
if (dropped.added !== '') throw new Error(`dropped by the reference only: ${dropped.added}`);

process.stdout.write(
  [
    '// Written by scripts/tokenizer-unicode.mjs. Code points in hexadecimal, ranges inclusive.\n',
    constant('In \\p{P}, but no punctuation to the reference.', 'NOT_PUNCTUATION', punctuation.without),
    constant('Punctuation to the reference only.', 'ALSO_PUNCTUATION', punctuation.added),
    constant('In \\p{Mn}, but no accent to the reference.', 'NOT_MARKS', mark.without),
    constant('Accents to the reference only.', 'ALSO_MARKS', mark.added),
    constant('In \\p{Cf}, but kept by the reference.', 'NOT_CONTROLS', dropped.without),
    constant('Unknown to its normalizers.', 'NEW_TO_NORMALIZERS', ranges(newToNormalizer)),
    constant(
      'Unassigned to its regular expressions.',
      'NEW_TO_PATTERNS',
      ranges(
        new Set(characters.filter((character) => isUnassigned(character) && !/\p{Cn}/u.test(character))),
      ),
    ),
  ].join('\n'),
);
