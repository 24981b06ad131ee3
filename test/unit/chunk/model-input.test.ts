import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkChunker, createChunker, type ChunkerOptions } from '#embatch/chunk/chunker.js';
import { parseTemplate } from '#embatch/chunk/template.js';
import { isEmbatchError } from '#embatch/core/errors.js';
import type { Document, Tokenizer } from '#embatch/core/interfaces.js';
import { loadWordPiece, wordTokenizer } from '../../support/tokenizers.js';
import { chunksOf, defaults, documentOf, markdown } from './support.js';

/** The word tokenizer, keeping what it was given to encode. */
function recording(): { readonly tokenizer: Tokenizer; readonly inputs: string[] } {
  const inputs: string[] = [];
  return {
    inputs,
    tokenizer: {
      ...wordTokenizer,
      encode: (texts) => {
        inputs.push(...texts);
        return wordTokenizer.encode(texts);
      },
    },
  };
}

const record: Document = documentOf(' The text. ', {
  title: 'A title',
  fields: {
    author: 'Ada',
    year: 1843,
    'a.b': 'dotted',
    tags: ['x', 'y'],
    nested: { deep: { er: true } },
    no: null,
  },
});

const templates: readonly (readonly [template: string, prompt: string, input: string])[] = [
  ['{text}', '', 'The text.'],
  ['{text}', 'passage: ', 'passage: The text.'],
  ['{title} {text}', '', 'A title The text.'],
  ['title: {title} | text: {text}', 'search_document: ', 'search_document: title: A title | text: The text.'],
  ['{ title }: {text} ({author}, {year})', '', 'A title: The text. (Ada, 1843)'],
  ['{a.b}|{nested.deep.er}|{nested}|{tags}|{text}', '', 'dotted|true|{"deep":{"er":true}}|x, y|The text.'],
  ['{missing} {no} {nested.gone} {text} {heading}', '', 'The text.'],
  ['{{{author}}} {{text}} {text}', '', '{Ada} {text} The text.'],
  ['{title}\n\n{text}\n', '', 'A title\n\nThe text.'],
  ['{toString}{constructor}{__proto__}{text}', '', 'The text.'],
];

describe('what is embedded', () => {
  for (const [template, prompt, input] of templates) {
    it(`by the template ${JSON.stringify(template)} and the prompt "${prompt}"`, async () => {
      const { tokenizer, inputs } = recording();
      const [chunk] = await chunksOf(record, { template, prompt }, tokenizer);
      assert.equal(inputs.at(-1), input);
      assert.equal(chunk?.text, 'The text.');
      assert.deepEqual(chunk.tokenIds, (await wordTokenizer.encode([input]))[0]);
    });
  }

  it('has the heading of each chunk, and room for it', async () => {
    const { tokenizer, inputs } = recording();
    const line = 'one two three four five six seven.';
    const document = markdown(`${line}\n# A\n${line}\n## B c d\n${line}`);
    const size = { chunkTokens: 16, template: '{heading}: {text}' };
    const chunks = await chunksOf(document, size, tokenizer);
    assert.deepEqual(inputs.slice(-chunks.length), [
      `: ${line}`,
      `A: # A\n${line}`,
      'A > B c d: ## B c d\none two',
      'A > B c d: three four five six seven.',
    ]);
    assert.ok(chunks.every(({ tokenIds }) => tokenIds.length <= 16));
  });
});

describe('a title that is too long', () => {
  const long = Array.from({ length: 100 }, (_, index) => `t${index}`).join(' ');
  const text = Array.from({ length: 60 }, (_, index) => `w${index}`).join(' ');

  it('gets half of the room, in whole words, and what is left out is counted', async () => {
    const { tokenizer, inputs } = recording();
    const document = documentOf(text, { title: long });
    const chunks = await chunksOf(document, { chunkTokens: 42, template: '{title} {text}' }, tokenizer);
    const title = long.split(' ').slice(0, 20).join(' ');
    assert.ok(inputs.slice(-chunks.length).every((input) => input.startsWith(`${title} w`)));
    assert.deepEqual(new Set(chunks.map(({ truncatedTokens }) => truncatedTokens)), new Set([80]));
    assert.equal(chunks.map((chunk) => chunk.text).join(' '), text);
  });

  it('stays whole where all of the document fits', async () => {
    const [chunk, ...others] = await chunksOf(
      documentOf('short', { title: long }),
      { chunkTokens: 103, template: '{title} {text}' },
      wordTokenizer,
    );
    assert.deepEqual([chunk?.tokenIds.length, chunk?.truncatedTokens, others.length], [103, 0, 0]);
  });

  it('takes nothing from a short field', async () => {
    const { tokenizer, inputs } = recording();
    const document = documentOf(text, { title: long, fields: { author: 'Ada Lovelace' } });
    const chunks = await chunksOf(
      document,
      { chunkTokens: 42, template: '{title} {author} {text}' },
      tokenizer,
    );
    const title = long.split(' ').slice(0, 18).join(' ');
    assert.ok(inputs.slice(-chunks.length).every((input) => input.startsWith(`${title} Ada Lovelace w`)));
    assert.equal(chunks[0]?.truncatedTokens, 82);
  });

  it('may be as long as a book', async () => {
    const tokenizer = await loadWordPiece();
    const title = 'Once upon a time there was a title that did not end. '.repeat(5000);
    const chunks = await chunksOf(documentOf(text, { title }), { template: '{title} {text}' }, tokenizer);
    assert.ok(chunks.every(({ tokenIds }) => tokenIds.length <= 64));
    assert.ok((chunks[0]?.truncatedTokens ?? 0) > 60_000);
  });
});

describe('--chunker none', () => {
  const text = `  ${Array.from({ length: 30 }, (_, index) => `w${index}`).join(' ')}\n`;
  const none = { chunker: 'none', maxTokens: 22 } as const;

  it('makes one chunk of a document that fits, whatever --chunk-tokens is', async () => {
    for (const overflow of ['split', 'truncate', 'fail'] as const) {
      const chunks = await chunksOf(
        documentOf(text),
        { ...none, overflow, maxTokens: 32, chunkTokens: 8 },
        wordTokenizer,
      );
      assert.deepEqual(
        chunks.map((chunk) => [chunk.text, chunk.start, chunk.tokenIds.length, chunk.truncatedTokens]),
        [[text.trim(), 2, 32, 0]],
      );
    }
  });

  it('splits one that does not', async () => {
    const chunks = await chunksOf(documentOf(text), { ...none, overflow: 'split' }, wordTokenizer);
    assert.ok(chunks.length === 2 && chunks.every(({ tokenIds }) => tokenIds.length <= 22));
    assert.equal(chunks.map((chunk) => chunk.text).join(' '), text.trim());
  });

  it('truncates the ids, keeps the last one and the whole text, and counts what it cut', async () => {
    const chunks = await chunksOf(
      documentOf(text),
      { ...none, overflow: 'truncate', prompt: 'p ' },
      wordTokenizer,
    );
    const [whole = new Int32Array()] = await wordTokenizer.encode([`p ${text.trim()}`]);
    assert.equal(chunks.length, 1);
    assert.equal(chunks[0]?.text, text.trim());
    assert.equal(chunks[0].truncatedTokens, 11);
    assert.deepEqual([...chunks[0].tokenIds], [...whole.slice(0, 21), -2]);
  });

  it('refuses with counts and limit', async () => {
    const outcome = await createChunker({ ...defaults, ...none, overflow: 'fail' }, wordTokenizer).chunk(
      documentOf(text),
    );
    assert.ok(!outcome.ok);
    assert.match(outcome.reason, /\b32 tokens\b.*\bat most 22\b/);
  });

  it('does so with a text of many megabytes', async () => {
    const tokenizer = await loadWordPiece();
    const document = documentOf('Nothing is ever cut off silently. '.repeat(60_000));
    const options = { ...none, maxTokens: 256 };
    const [chunk] = await chunksOf(document, { ...options, overflow: 'truncate' }, tokenizer);
    assert.equal(chunk?.tokenIds.length, 256);
    assert.deepEqual([chunk.tokenIds[0], chunk.tokenIds.at(-1)], [101, 102]);
    assert.equal(chunk.truncatedTokens, 60_000 * 7 + 2 - 256);
  });

  it('has no limit where the model has none', async () => {
    const options = { ...none, maxTokens: Infinity, overflow: 'fail' } as const;
    const [chunk] = await chunksOf(documentOf('word '.repeat(50_000)), options, wordTokenizer);
    assert.equal(chunk?.tokenIds.length, 50_002);
  });
});

describe('options that cannot work are refused', () => {
  const cases: readonly (readonly [name: string, options: Partial<ChunkerOptions>, message: RegExp])[] = [
    ['no tokens', { chunkTokens: 0 }, /--chunk-tokens is 0/],
    ['half a token', { chunkTokens: 64.5 }, /64\.5/],
    ['more than the model takes', { chunkTokens: 513 }, /513.*at most 512/],
    ['an overlap of half a chunk', { chunkOverlap: 32 }, /--chunk-overlap is 32.*less than half of the 64/],
    ['a negative overlap', { chunkOverlap: -1 }, /-1/],
    ['no room beside special tokens', { chunkTokens: 9 }, /leave 7 for text beside 2 special tokens and 0/],
    ['no room beside the prompt', { prompt: 'p '.repeat(60) }, /leave 2 .*60 of prompt and template/],
    ['a template without text', { template: '{title}' }, /\{text\} 0 times/],
    ['an empty template', { template: '' }, /\{text\} 0 times/],
    ['a template with two texts', { template: '{text} {text}' }, /\{text\} 2 times/],
    ['an open brace', { template: '{text} {title' }, /"\{" without its partner at character 8/],
    ['a closing brace', { template: '{text}}' }, /without its partner|0 times/],
    ['an empty name', { template: '{text}{ }' }, /empty name at character 7/],
  ];
  for (const [name, options, message] of cases) {
    it(name, async () => {
      const refused = (error: unknown): boolean =>
        isEmbatchError(error, 'USAGE') && message.test(error.message);
      await assert.rejects(checkChunker({ ...defaults, ...options }, wordTokenizer), refused);
      await assert.rejects(async () => {
        await createChunker({ ...defaults, ...options }, wordTokenizer).chunk(documentOf('text'));
      }, refused);
    });
  }

  it('before there is a tokenizer where the template is wrong', () => {
    assert.throws(() => parseTemplate('{txt}'), /holds \{text\} 0 times/);
    assert.deepEqual(parseTemplate('{title} {author} {title} {text}').names, ['title', 'author']);
  });
});
