import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { testData } from '../../../support/paths.js';
import { assertEqualIds, multilingual, readTiny, tokenizerFile, type TokenizerJson } from './support.js';

/**
 * Each byte is one token, and another one at the end of a piece: ids show every character that a normalizer leaves
 * and every cut that a pre-tokenizer makes.
 */
function bytesOnly(normalizer: object | null, preTokenizers: readonly object[]): object {
  let spare = 0x100;
  const letters = Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCodePoint(printable ? byte : spare++);
  });
  return {
    version: '1.0',
    added_tokens: [],
    normalizer,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [...preTokenizers, byteLevel({ use_regex: false })] },
    post_processor: null,
    decoder: null,
    model: {
      type: 'BPE',
      unk_token: null,
      end_of_word_suffix: '</w>',
      vocab: Object.fromEntries(
        [...letters, ...letters.map((letter) => `${letter}</w>`)].map((t, id) => [t, id]),
      ),
      merges: [],
    },
  };
}

const byteLevel = (options: object): object => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: true,
  ...options,
});

const splitting = (pattern: object, behavior: string, invert = false): object => ({
  type: 'Split',
  pattern,
  behavior,
  invert,
});

const QWEN_WORDS =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" +
  '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

const bertNormalizer = (options: object): object => ({
  type: 'BertNormalizer',
  clean_text: true,
  handle_chinese_chars: true,
  strip_accents: null,
  lowercase: true,
  ...options,
});

const sequence = (...normalizers: object[]): object => ({ type: 'Sequence', normalizers });

const characterMap = readFileSync(testData('tokenizers/character-map.base64'), 'utf8').trim();

interface Part {
  readonly name: string;
  readonly normalizer?: object;
  readonly preTokenizers?: object[];
}

/** They go by the Unicode properties of characters. */
const unicodeParts: readonly Part[] = [
  { name: 'BERT', normalizer: bertNormalizer({}), preTokenizers: [{ type: 'BertPreTokenizer' }] },
  {
    name: 'BERT, cased, uncleaned',
    normalizer: bertNormalizer({ lowercase: false, clean_text: false }),
    preTokenizers: [{ type: 'BertPreTokenizer' }],
  },
  {
    name: 'BERT, accents only',
    normalizer: bertNormalizer({ lowercase: false, strip_accents: true, handle_chinese_chars: false }),
  },
  { name: 'Lowercase', normalizer: { type: 'Lowercase' } },
  ...['NFC', 'NFD', 'NFKC', 'NFKD'].map((form) => ({ name: form, normalizer: { type: form } })),
  {
    name: 'Strip and Replace',
    normalizer: sequence(
      { type: 'Strip', strip_left: true, strip_right: true },
      { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
      { type: 'Replace', pattern: { String: 'e' }, content: '$&' },
    ),
  },
  { name: 'Precompiled', normalizer: { type: 'Precompiled', precompiled_charsmap: characterMap } },
  { name: 'ByteLevel', preTokenizers: [byteLevel({})] },
  { name: 'WhitespaceSplit', preTokenizers: [{ type: 'WhitespaceSplit' }] },
  { name: "Qwen's words", preTokenizers: [splitting({ Regex: QWEN_WORDS }, 'Isolated')] },
];

const otherParts: readonly Part[] = [
  { name: 'Prepend', normalizer: { type: 'Prepend', prepend: '▁' } },
  { name: 'ByteLevel with a space in front', preTokenizers: [byteLevel({ add_prefix_space: true })] },
  {
    name: 'Metaspace',
    preTokenizers: [{ type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true }],
  },
  {
    name: 'Metaspace, nothing in front, whole',
    preTokenizers: [{ type: 'Metaspace', replacement: '▁', prepend_scheme: 'never', split: false }],
  },
  {
    name: 'words, then Metaspace',
    preTokenizers: [{ type: 'WhitespaceSplit' }, { type: 'Metaspace', replacement: '▁' }],
  },
  ...['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'].flatMap((behavior) => [
    { name: `Split, ${behavior}`, preTokenizers: [splitting({ Regex: '\\s|\\p{P}' }, behavior)] },
    { name: `Split, ${behavior}, inverted`, preTokenizers: [splitting({ String: ' ' }, behavior, true)] },
  ]),
];

/** Assigned characters between letters, four to a text; of scripts without case and of private use only some. */
const characters = Array.from({ length: 0x110000 }, (_, code) => code)
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .filter((code) => !/\p{Cn}/u.test(String.fromCodePoint(code)))
  .filter((code) => code % 19 === 0 || !/\p{Co}|\p{Lo}/u.test(String.fromCodePoint(code)))
  .map((code) => String.fromCodePoint(code));

const everyCharacter = Array.from({ length: Math.ceil(characters.length / 4) }, (_, index) =>
  characters
    .slice(4 * index, 4 * index + 4)
    .map((character) => `a${character}b`)
    .join(' '),
);

for (const { name, normalizer, preTokenizers } of unicodeParts) {
  test(`both backends treat every character the same: ${name}`, async (context) => {
    const file = await tokenizerFile(context, bytesOnly(normalizer ?? null, preTokenizers ?? []));
    await assertEqualIds(file, [...everyCharacter, ...multilingual]);
  });
}

for (const { name, normalizer, preTokenizers } of otherParts) {
  test(`both backends cut and change texts the same: ${name}`, async (context) => {
    const file = await tokenizerFile(context, bytesOnly(normalizer ?? null, preTokenizers ?? []));
    await assertEqualIds(file, multilingual);
  });
}

const token = (content: string, options: object): object => ({
  id: 5000,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: false,
  ...options,
});

function withTokens(content: TokenizerJson, ...tokens: object[]): TokenizerJson {
  return { ...content, added_tokens: [...(content['added_tokens'] as object[]), ...tokens] };
}

const addedTokens = [
  token('the', { single_word: true }),
  token('<mask>', { lstrip: true, special: true }),
  token('[SEP]', { rstrip: true }),
  token('文字', { normalized: true, lstrip: true, rstrip: true }),
  token('İstanbul', { normalized: true }),
  token('don', {}),
  token("don't", {}),
  token('中', { single_word: true, lstrip: true }),
];

for (const model of ['tiny-bert', 'tiny-roberta-bpe', 'tiny-xlmr-unigram']) {
  test(`both backends find added tokens in the same places: ${model}`, async (context) => {
    const content = withTokens(readTiny(model), ...addedTokens);
    await assertEqualIds(await tokenizerFile(context, content), [
      ...multilingual,
      "the other, the end. Don't, don't don <mask>  <mask> x<mask> \u0085<mask>\ufeff[SEP]  [SEP]\u00a0x 中文字 文字",
    ]);
  });
}

const variants: { readonly name: string; readonly of: string; readonly change: object }[] = [
  {
    name: 'a whole piece that is a token is not merged',
    of: 'tiny-roberta-bpe',
    change: { ignore_merges: true },
  },
  { name: 'an unknown piece has no bytes', of: 'tiny-xlmr-unigram', change: { byte_fallback: false } },
  {
    name: 'words longer than 20 characters are unknown',
    of: 'tiny-bert',
    change: { max_input_chars_per_word: 20 },
  },
];

for (const { name, of, change } of variants) {
  test(`both backends follow the model's own rules: ${name}`, async (context) => {
    const content = readTiny(of);
    const file = await tokenizerFile(context, { ...content, model: { ...content.model, ...change } });
    await assertEqualIds(file, multilingual);
  });
}

test('both backends weigh unknown characters and break ties the same', async (context) => {
  const vocab = [
    ['<unk>', 0],
    ['y', -1],
    ['xy', -15],
    ['zxy', -14],
    ['a', -1],
    ['aa', -2],
    ['aaa', -3],
    ['ab', -2.5],
    ['b', -1.5],
  ];
  const content = {
    ...readTiny('tiny-xlmr-unigram'),
    added_tokens: [],
    post_processor: null,
    pre_tokenizer: null,
  };
  const file = await tokenizerFile(context, { ...content, model: { type: 'Unigram', unk_id: 0, vocab } });
  const letters = ['a', 'b', 'x', 'y', 'z'];
  const words = letters.flatMap((one) => letters.flatMap((two) => letters.map((three) => one + two + three)));
  await assertEqualIds(file, [
    ...words,
    ...words.map((word, index) => word + (words.at(-index) ?? '') + word),
  ]);
});

/** Characters and bytes as Gemma has them: unknown characters become their bytes, or unknown tokens. */
function characterPairs(options: object): object {
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
  );
  const merges = [
    ['t', 'h'],
    ['th', 'e'],
    ['▁', 'the'],
    ['▁', '▁'],
    ['l', 'l'],
    ['中', '文'],
  ] as const;
  const letters = Array.from('abcdefghijklmnopqrstuvwxyz▁.中文é');
  const vocabulary = new Set(['<unk>', ...bytes, ...letters, ...merges.map(([left, right]) => left + right)]);
  return {
    version: '1.0',
    added_tokens: [],
    normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    pre_tokenizer: splitting({ String: ' ' }, 'MergedWithPrevious'),
    post_processor: null,
    decoder: null,
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      vocab: Object.fromEntries([...vocabulary].map((text, id) => [text, id])),
      merges,
      ...options,
    },
  };
}

for (const options of [
  { fuse_unk: true, byte_fallback: true },
  { fuse_unk: true, byte_fallback: false },
  { fuse_unk: false, byte_fallback: false },
]) {
  test(`both backends spell unknown characters the same: ${JSON.stringify(options)}`, async (context) => {
    await assertEqualIds(await tokenizerFile(context, characterPairs(options)), multilingual);
  });
}

test('both backends give ids of whole words the same', async (context) => {
  const words = ['[UNK]', ...new Set(multilingual.slice(0, 60).flatMap((text) => text.split(' ')))];
  const content = {
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'WhitespaceSplit' },
    post_processor: null,
    decoder: null,
    model: {
      type: 'WordLevel',
      unk_token: '[UNK]',
      vocab: Object.fromEntries(words.map((word, id) => [word, id])),
    },
  };
  await assertEqualIds(await tokenizerFile(context, content), multilingual);
});
