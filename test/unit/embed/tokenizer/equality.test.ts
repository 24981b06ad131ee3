import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { loadTokenizer } from '#embatch/embed/tokenizer/tokenizer.js';
import { unpackCorpus } from '../../../support/corpus.js';
import { testData } from '../../../support/paths.js';
import { sharedFolder } from '../../../support/shared.js';
import { tempFolder } from '../../../support/temp-folder.js';
import { plain } from '../../../support/tokenizers.js';
import { assertEqualIds, backends, bundled, multilingual, tiny } from './support.js';

const kinds = [
  { kind: 'WordPiece, the bundled model', file: bundled },
  { kind: 'WordPiece, 640 tokens', file: tiny('tiny-bert') },
  { kind: 'byte BPE in the manner of RoBERTa', file: tiny('tiny-roberta-bpe') },
  { kind: 'byte BPE with NFC, in the manner of Qwen', file: tiny('tiny-qwen3-lasttoken') },
  { kind: 'Unigram in the manner of XLM-R', file: tiny('tiny-xlmr-unigram') },
];

const LONE = ['a\uD800b', '\uDC00', 'end\uDBFF', '\uD83D \uDE00', '\uDE00\uD83D'];

for (const { kind, file } of kinds) {
  test(`both backends give the same ids in every script: ${kind}`, () =>
    assertEqualIds(file, [...multilingual, ...LONE]));

  test(`both backends give the same ids after lower-casing: ${kind}`, () =>
    assertEqualIds({ ...plain(file), lowercase: true }, multilingual));
}

test('both backends give the same ids where unknown tokens are dropped', () =>
  assertEqualIds({ ...plain(tiny('tiny-model2vec')), dropUnknown: true }, multilingual));

test('the texts are in many scripts', () => {
  const scripts =
    'Latin Cyrillic Greek Hebrew Arabic Devanagari Bengali Tamil Telugu Thai Han Hiragana Katakana Hangul Georgian ' +
    'Armenian Ethiopic Khmer Myanmar Tibetan Lao Sinhala Gujarati Gurmukhi Kannada Malayalam Cherokee Adlam';
  const text = multilingual.join('');
  for (const script of scripts.split(' ')) assert.match(text, new RegExp(`\\p{Script=${script}}`, 'u'));
  assert.ok(multilingual.length > 400);
});

interface Reference {
  readonly name: string;
  readonly text: string;
  readonly input_ids: readonly number[];
}

const bundledReferences = readFileSync(testData('reference/all-minilm-l6-v2.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Reference);

const references = [
  { model: 'all-MiniLM-L6-v2', spec: plain(bundled), rows: bundledReferences },
  ...['tiny-bert', 'tiny-roberta-bpe', 'tiny-qwen3-lasttoken', 'tiny-xlmr-unigram'].map((model) => ({
    model,
    spec: plain(tiny(model)),
    rows: tinyReferences(model),
  })),
  {
    model: 'tiny-static',
    spec: { ...plain(tiny('tiny-static')), specialTokens: false },
    rows: tinyReferences('tiny-static'),
  },
  {
    model: 'tiny-model2vec',
    spec: { ...plain(tiny('tiny-model2vec')), specialTokens: false, dropUnknown: true },
    rows: tinyReferences('tiny-model2vec'),
  },
];

function tinyReferences(model: string): Reference[] {
  return JSON.parse(readFileSync(testData(`models/${model}/reference.json`), 'utf8')) as Reference[];
}

for (const { model, spec, rows } of references) {
  for (const backend of backends) {
    test(`ids are those of the reference implementation: ${model}, ${backend}`, async () => {
      const tokenizer = await loadTokenizer(spec, backend);
      const encoded = await tokenizer.encode(rows.map(({ text }) => text));
      rows.forEach(({ name, input_ids: expected }, index) => {
        const ids = [...(encoded[index] ?? [])];
        // The reference cuts: to the first ids and, where there are special tokens, the last one.
        const cut = ids.slice(0, expected.length);
        if (spec.specialTokens && cut.length > 0) cut[cut.length - 1] = ids.at(-1) ?? -1;
        assert.deepEqual(cut, expected, name);
      });
    });
  }
}

test('half a surrogate pair counts as U+FFFD in both backends', async () => {
  for (const backend of backends) {
    const tokenizer = await loadTokenizer(plain(tiny('tiny-roberta-bpe')), backend);
    const [lone, replaced] = await tokenizer.encode(['a\uD800b\uDC00', 'a\uFFFDb\uFFFD']);
    assert.deepEqual(lone, replaced);
  }
});

test('special words in a text become special ids, and are known as such', async () => {
  for (const backend of backends) {
    const tokenizer = await loadTokenizer(plain(bundled), backend);
    const [ids = []] = await tokenizer.encode(['a [SEP] b']);
    assert.deepEqual([...ids], [101, 1037, 102, 1038, 102]);
    assert.deepEqual(
      [...ids].map((id) => tokenizer.isSpecial(id)),
      [true, false, true, false, true],
    );
  }
});

test('both backends give the same ids for real documents', async (context) => {
  const shared = sharedFolder();
  if (shared === undefined) {
    context.skip('no ../shared here');
    return;
  }
  const texts = unpackCorpus(shared, await tempFolder(context))
    .filter(({ kinds: found, bytes }) => !found.includes('binary') && bytes.length < 20_000)
    .map(({ bytes }) => bytes.toString('utf8'))
    .filter((_, index) => index % 25 === 0);
  assert.ok(texts.length > 50);
  for (const { file } of kinds) await assertEqualIds(file, texts);
});
