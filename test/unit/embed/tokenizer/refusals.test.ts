import assert from 'node:assert/strict';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import { loadTokenizer, type TokenizerSpec } from '#embatch/embed/tokenizer/tokenizer.js';
import { tempFolder } from '../../../support/temp-folder.js';
import { plain } from '../../../support/tokenizers.js';
import { backends, readTiny, tokenizerFile, type TokenizerJson } from './support.js';

type Backend = (typeof backends)[number];

async function refused(spec: TokenizerSpec, backend: Backend, words: RegExp): Promise<void> {
  await assert.rejects(loadTokenizer(spec, backend), (error: unknown) => {
    assert.ok(isEmbatchError(error, 'MODEL'), String(error));
    assert.match(error.message, words);
    assert.doesNotMatch(error.message, /\n/);
    assert.ok(error.message.includes(spec.file), error.message);
    return true;
  });
}

const bert = readTiny('tiny-bert');
const bytePairs = readTiny('tiny-roberta-bpe');
const unigram = readTiny('tiny-xlmr-unigram');
const ofModel = (content: TokenizerJson, change: object): object => ({
  ...content,
  model: { ...content.model, ...change },
});

const template = (single: unknown): object => ({ ...(bert['post_processor'] as object), single });
const template5000 = JSON.parse(
  JSON.stringify(bert['post_processor']).replace(/"ids":\[2\]/, '"ids":[5000]'),
) as unknown;

const lies: { readonly name: string; readonly content: unknown; readonly words: RegExp }[] = [
  {
    name: 'a download that stopped',
    content: '{"version": "1.0", "mo',
    words: /is not JSON .* download it again/,
  },
  {
    name: 'a pointer in place of the file',
    content: 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 466062\n',
    words: /is a Git LFS pointer, not the file itself/,
  },
  { name: 'a list', content: [], words: /holds no JSON object/ },
  { name: 'no model', content: { ...bert, model: undefined }, words: /has no model/ },
  { name: 'a model of no type', content: { ...bert, model: { vocab: { a: 0 } } }, words: /without a type/ },
  {
    name: 'no vocabulary',
    content: ofModel(bert, { vocab: undefined }),
    words: /WordPiece .* without a vocabulary/,
  },
  {
    name: 'an empty vocabulary',
    content: ofModel(bytePairs, { vocab: {} }),
    words: /BPE .* without a vocabulary/,
  },
  {
    name: 'an empty list of pieces',
    content: ofModel(unigram, { vocab: [] }),
    words: /Unigram .* without a vocab/,
  },
  {
    name: 'a negative id',
    content: ofModel(bert, { vocab: { '[UNK]': 0, a: -1 } }),
    words: /"a" .* the id -1/,
  },
  {
    name: 'a huge id',
    content: ofModel(bert, { vocab: { '[UNK]': 0, a: 2 ** 31 } }),
    words: /the id 2147483648/,
  },
  {
    name: 'a WordPiece vocabulary without the unknown token',
    content: ofModel(bert, { unk_token: '[NONE]' }),
    words: /unknown words, "\[NONE\]", is not in its vocabulary/,
  },
  {
    name: 'an unknown id beyond the pieces',
    content: ofModel(unigram, { unk_id: 99_999 }),
    words: /99999, is not/,
  },
  {
    name: 'added tokens that are none',
    content: { ...bert, added_tokens: ['[PAD]'] },
    words: /added token that is not complete.*PAD/,
  },
  {
    name: 'an added token without its options',
    content: { ...bert, added_tokens: [{ id: 0, content: '[PAD]' }] },
    words: /added token that is not complete.*PAD/,
  },
  ...['', 'AAEAAA==', 'AAQAAAAA'].map((precompiled_charsmap) => ({
    name: `a broken map of characters, ${JSON.stringify(precompiled_charsmap)}`,
    content: {
      ...unigram,
      normalizer: { type: 'Sequence', normalizers: [{ type: 'Precompiled', precompiled_charsmap }] },
    },
    words: /Precompiled normalizer whose map of characters is broken/,
  })),
  {
    name: 'added tokens in no list',
    content: { ...bert, added_tokens: {} },
    words: /added_tokens that are no list/,
  },
  {
    name: 'a special id beyond the vocabulary',
    content: { ...bert, post_processor: template5000 },
    words: /"\[CLS\]" with the id 5000 .* its vocabulary has 2/,
  },
  {
    name: 'a template that leaves out the text',
    content: { ...bert, post_processor: template([{ SpecialToken: { id: '[CLS]', type_id: 0 } }]) },
    words: /template without a place for the text/,
  },
  {
    name: 'a template with a token that it does not know',
    content: {
      ...bert,
      post_processor: template([
        { SpecialToken: { id: '[X]', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
      ]),
    },
    words: /template with a part that is not understood: .*\[X\]/,
  },
  {
    name: 'RoBERTa ends that have other ids',
    content: {
      ...bytePairs,
      post_processor: { type: 'RobertaProcessing', cls: ['<s>', 0], sep: ['</s>', 9] },
    },
    words: /"<\/s>" with the id 9 /,
  },
];

for (const backend of backends) {
  for (const { name, content, words } of lies) {
    test(`${backend}: a tokenizer.json is refused that has ${name}`, async (context) => {
      await refused(plain(await tokenizerFile(context, content)), backend, words);
    });
  }

  test(`${backend}: without a tokenizer.json the message says what is there and how to make one`, async (context) => {
    const folder = await tempFolder(context);
    const spec = plain(join(folder, 'tokenizer.json'));
    await refused(spec, backend, /no readable tokenizer: .*ENOENT.*\. Load it once .* save_pretrained/);
    await writeFile(join(folder, 'vocab.txt'), '[UNK]\n');
    await writeFile(join(folder, 'spiece.model'), '');
    await refused(spec, backend, /the folder has only spiece\.model and vocab\.txt\. Load it once/);
    await mkdir(spec.file);
    await refused(spec, backend, /EISDIR/);
  });
}

test('native: what the library does not understand is refused with its words', async (context) => {
  const file = await tokenizerFile(context, { ...bert, normalizer: { type: 'Unheard' } });
  await refused(plain(file), 'native', /not a tokenizer that can be used: .*Normalizer/);
});

test('a text that the file has no rule for is an error, not a wrong id', async (context) => {
  const content = ofModel(unigram, { unk_id: null });
  for (const backend of backends) {
    const file = await tokenizerFile(context, content);
    const tokenizer = await loadTokenizer(plain(file), backend);
    await assert.rejects(
      tokenizer.encode(['\u{1F9FF}']),
      (error: unknown) => isEmbatchError(error, 'MODEL') && error.message.includes('unk_id'),
    );
  }
});

const sequence = (...pretokenizers: object[]): object => ({ type: 'Sequence', pretokenizers });

const unsupported: { readonly name: string; readonly content: unknown; readonly words: RegExp }[] = [
  ...['Nmt', 'StripAccents', 'ByteLevel'].map((type) => ({
    name: `the normalizer ${type}`,
    content: { ...bert, normalizer: { type: 'Sequence', normalizers: [{ type: 'Lowercase' }, { type }] } },
    words: new RegExp(`the normalizer ${type}`),
  })),
  ...['Punctuation', 'Digits', 'Whitespace', 'CharDelimiterSplit', 'UnicodeScripts', 'FixedLength'].map(
    (type) => ({
      name: `the pre-tokenizer ${type}`,
      content: { ...bert, pre_tokenizer: sequence({ type: 'WhitespaceSplit' }, { type }) },
      words: new RegExp(`the pre-tokenizer ${type}`),
    }),
  ),
  {
    name: 'a split behavior of the future',
    content: {
      ...bert,
      pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'Doubled', invert: false },
    },
    words: /the split behavior Doubled/,
  },
  ...['\\G\\d', '(?>a+)b', 'a++b', 'a*+', 'x?+'].map((source) => ({
    name: `the pattern ${source}`,
    content: {
      ...bert,
      pre_tokenizer: { type: 'Split', pattern: { Regex: source }, behavior: 'Isolated', invert: false },
    },
    words: /in the pattern /,
  })),
  {
    name: 'a pattern that JavaScript cannot compile',
    content: { ...bert, normalizer: { type: 'Replace', pattern: { Regex: '(' }, content: '' } },
    words: /the pattern \(/,
  },
  {
    name: 'a space in front of the first section only',
    content: { ...unigram, pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first' } },
    words: /prepend_scheme "first"/,
  },
  {
    name: 'a space that is written as two characters',
    content: {
      ...unigram,
      pre_tokenizer: { type: 'Metaspace', replacement: '__', prepend_scheme: 'always' },
    },
    words: /the replacement "__"/,
  },
  {
    name: 'a model of the future',
    content: ofModel(bert, { type: 'WordSoup' }),
    words: /the model WordSoup/,
  },
  { name: 'Unigram by bytes', content: ofModel(unigram, { byte_fallback: true }), words: /byte_fallback/ },
  { name: 'dropout', content: ofModel(bytePairs, { dropout: 0.1 }), words: /dropout/ },
  {
    name: 'a prefix inside of words',
    content: ofModel(bytePairs, { continuing_subword_prefix: '##' }),
    words: /continuing_subword_prefix/,
  },
  {
    name: 'a merge of what it does not have',
    content: ofModel(bytePairs, { merges: [['zz', 'qq']] }),
    words: /merge \["zz","qq"\] is not in its vocabulary/,
  },
  {
    name: 'no merges',
    content: ofModel(bytePairs, { merges: undefined }),
    words: /BPE model without merges/,
  },
  {
    name: 'an alphabet with holes and no unknown token',
    content: ofModel(bytePairs, { vocab: { a: 0, b: 1 }, merges: [] }),
    words: /neither all bytes nor a token for what is unknown/,
  },
];

for (const { name, content, words } of unsupported) {
  test(`javascript: what it does not do as the reference does is refused by name: ${name}`, async (context) => {
    // Without what surrounds a text: some of these models have not got the special tokens.
    const file = await tokenizerFile(context, { ...(content as object), post_processor: null });
    await refused(plain(file), 'javascript', words);
    await refused(plain(file), 'javascript', /Use --tokenizer native/);
  });
}

test('truncation and padding of the file are never applied', async (context) => {
  const file = await tokenizerFile(context, {
    ...bert,
    truncation: { max_length: 8, strategy: 'LongestFirst', stride: 0, direction: 'Right' },
    padding: {
      strategy: { Fixed: 16 },
      direction: 'Right',
      pad_to_multiple_of: null,
      pad_id: 0,
      pad_type_id: 0,
      pad_token: '[PAD]',
    },
  });
  for (const backend of backends) {
    const [long, short] = await (
      await loadTokenizer(plain(file), backend)
    ).encode(['a b c d e f g h i j k l', 'a']);
    assert.equal(long?.length, 14);
    assert.equal(short?.length, 3);
  }
});

const cased = { ...bytePairs, normalizer: { type: 'NFC' } };

test('lower-casing comes in front of the normalizer, unless that lower-cases already', async (context) => {
  const inner = { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'Lowercase' }] };
  for (const normalizer of [
    null,
    { type: 'NFC' },
    { type: 'Sequence', normalizers: [{ type: 'NFC' }] },
    inner,
  ]) {
    const file = await tokenizerFile(context, { ...cased, normalizer });
    for (const backend of backends) {
      const lowered = await loadTokenizer({ ...plain(file), lowercase: true }, backend);
      const [upper, lower] = await lowered.encode(['HELLO É', 'hello é']);
      assert.deepEqual(upper, lower);
    }
  }
  // In front: what comes after sees small letters only.
  const file = await tokenizerFile(context, {
    ...cased,
    normalizer: { type: 'Replace', pattern: { String: 'a' }, content: 'B' },
  });
  for (const backend of backends) {
    const [fromUpper, plainB] = [
      await (await loadTokenizer({ ...plain(file), lowercase: true }, backend)).encode(['A']),
      await (await loadTokenizer(plain(file), backend)).encode(['B']),
    ];
    assert.deepEqual(fromUpper, plainB);
  }
});

test('an added token has the id that the reference gives it, whatever the file says', async (context) => {
  const size = Object.keys(bert.model['vocab'] as object).length;
  const added = (bert['added_tokens'] as object[]).concat(
    ['<new>', '<newer>'].map((content) => ({
      id: 77,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
  );
  const file = await tokenizerFile(context, { ...bert, added_tokens: added });
  for (const backend of backends) {
    const tokenizer = await loadTokenizer(plain(file), backend);
    const [ids = []] = await tokenizer.encode(['<newer><new>']);
    assert.deepEqual([...ids].slice(1, -1), [size + 1, size]);
    assert.equal(tokenizer.isSpecial(size), true);
    assert.equal(tokenizer.isSpecial(77), false);
  }
});

test('dropped unknown tokens are in no count', async (context) => {
  const file = await tokenizerFile(context, bert);
  await rename(file, join(dirname(file), 'renamed.json'));
  const spec = { ...plain(join(dirname(file), 'renamed.json')), specialTokens: false, dropUnknown: true };
  for (const backend of backends) {
    const tokenizer = await loadTokenizer(spec, backend);
    const unknown = '\u{1F9FF} a \u{1F9FF}';
    assert.deepEqual(await tokenizer.count([unknown, 'a', '\u{1F9FF}']), [1, 1, 0]);
    assert.deepEqual(
      (await tokenizer.encode([unknown, '\u{1F9FF}'])).map((ids) => ids.length),
      [1, 0],
    );
    assert.equal(tokenizer.specialTokens, 0);
  }
});
