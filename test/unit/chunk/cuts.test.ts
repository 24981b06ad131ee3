import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Document, Tokenizer } from '#embatch/core/interfaces.js';
import { loadWordPiece, wordTokenizer } from '../../support/tokenizers.js';
import { assertChunks, chunksOf, documentOf, markdown } from './support.js';

/** `words('a', 3)` is `A1 a2 a3.`: as many tokens as words and one for the stop. */
function words(name: string, count: number): string {
  const all = Array.from({ length: count }, (_, index) => `${name}${index + 1}`);
  return `${all.join(' ').replace(/^./, (first) => first.toUpperCase())}.`;
}

interface Case {
  readonly name: string;
  readonly document: Document;
  readonly chunkTokens: number;
  readonly chunkOverlap?: number;
  readonly expected: readonly string[];
}

const [a9, b9, c9, d9] = [words('a', 9), words('b', 9), words('c', 9), words('d', 9)];
const [a5, b5, c5] = [words('a', 5), words('b', 5), words('c', 5)];

/** Sizes count two special tokens. */
const cases: readonly Case[] = [
  {
    name: 'small paragraphs share a chunk',
    document: documentOf(`${a5}\n\n${b5}\n\n${c5}`),
    chunkTokens: 20,
    expected: [`${a5}\n\n${b5}\n\n${c5}`],
  },
  {
    name: 'between paragraphs rather than between sentences',
    document: documentOf(`${a9}\n\n${b9} ${c9}`),
    chunkTokens: 22,
    expected: [a9, `${b9} ${c9}`],
  },
  {
    name: 'at a heading rather than between paragraphs',
    document: markdown(`${a5}\n\n${b5}\n\n# Part\n\n${c5}\n\n${d9}`),
    chunkTokens: 27,
    expected: [`${a5}\n\n${b5}`, `# Part\n\n${c5}\n\n${d9}`],
  },
  {
    name: 'at a heading of a higher level rather than a lower',
    document: markdown(`# One\n${a5}\n### Deep\n${b5}\n# Two\n${c5}\n### Deep\n${a5}`),
    chunkTokens: 26,
    expected: [`# One\n${a5}\n### Deep\n${b5}`, `# Two\n${c5}\n### Deep\n${a5}`],
  },
  {
    name: 'not between a heading and its text',
    document: markdown(`${a9}\n\n# Part\n\n${b9}`),
    chunkTokens: 16,
    expected: [a9, `# Part\n\n${b9}`],
  },
  {
    name: 'a heading takes the beginning of a sentence that is too long for it',
    document: markdown(`# Part\n\n${words('a', 17)}`),
    chunkTokens: 20,
    expected: ['# Part\n\nA1 a2 a3 a4 a5 a6 a7', 'a8 a9 a10 a11 a12 a13 a14 a15 a16 a17.'],
  },
  {
    name: 'headings above each other stay together',
    document: markdown(`${a9}\n\n# Part\n## Section\n\n${b9}`),
    chunkTokens: 20,
    expected: [a9, `# Part\n## Section\n\n${b9}`],
  },
  {
    name: 'between sentences rather than between lines within one',
    document: documentOf(`${a9} B1 b2 b3\nb4 b5 b6 b7 b8 b9.`),
    chunkTokens: 17,
    expected: [a9, 'B1 b2 b3\nb4 b5 b6 b7 b8 b9.'],
  },
  {
    name: 'between items of a list',
    document: documentOf(`- one two three\n- four five six\n- seven eight nine\n- ten eleven twelve`),
    chunkTokens: 10,
    expected: [`- one two three\n- four five six`, `- seven eight nine\n- ten eleven twelve`],
  },
  {
    name: 'between words of a sentence that is too long, evenly',
    document: documentOf('a b c d e f g h i j k l m n o p q r s t u v'),
    chunkTokens: 20,
    expected: ['a b c d e f g h i j k', 'l m n o p q r s t u v'],
  },
  {
    name: 'not at the hyphens of words',
    document: documentOf('aa-bb cc-dd ee-ff gg-hh ii-jj kk-ll mm-nn oo-pp'),
    chunkTokens: 20,
    expected: ['aa-bb cc-dd ee-ff gg-hh', 'ii-jj kk-ll mm-nn oo-pp'],
  },
  {
    name: 'no orphan: a neighbour gives it text',
    document: documentOf(`${a5} ${b5} ${c5} ${a5}`),
    chunkTokens: 22,
    expected: [`${a5} ${b5}`, `${c5} ${a5}`],
  },
  {
    name: 'white space at the edges belongs to no chunk',
    document: documentOf(`\r\n \u00a0\ufeff${a9}\u3000\n\n\n\t${b9}\n \n`),
    chunkTokens: 14,
    expected: [a9, b9],
  },
  {
    name: 'a chunk repeats the sentence before it',
    document: documentOf(`${a5} ${b5} ${c5}`),
    chunkTokens: 18,
    chunkOverlap: 8,
    expected: [`${a5} ${b5}`, `${b5} ${c5}`],
  },
  {
    name: 'a chunk repeats words where the sentence before it is too long',
    document: documentOf(`${a9}\n\n${b9}`),
    chunkTokens: 16,
    chunkOverlap: 4,
    expected: [a9, `a7 a8 a9.\n\n${b9}`],
  },
  {
    name: 'nothing is repeated from under another heading',
    document: markdown(`# One\n${a9}\n# Two\n${b9}`),
    chunkTokens: 18,
    chunkOverlap: 8,
    expected: [`# One\n${a9}`, `# Two\n${b9}`],
  },
];

describe('documents are cut', () => {
  for (const { name, document, chunkTokens, chunkOverlap = 0, expected } of cases) {
    it(name, async () => {
      const size = { chunkTokens, chunkOverlap, prompt: '' };
      const chunks = await chunksOf(document, size, wordTokenizer);
      assert.deepEqual(
        chunks.map(({ text }) => text),
        expected,
      );
      await assertChunks(document, chunks, size, wordTokenizer);
    });
  }

  for (const text of ['', ' ', '\n\n', '\t\u00a0\u2028\ufeff\r\n', ' '.repeat(100_000)]) {
    it(`into nothing where there is nothing but ${text.length} characters of white space`, async () => {
      assert.deepEqual(await chunksOf(documentOf(text), {}, wordTokenizer), []);
    });
  }

  it('with the path of the headings above the first character', async () => {
    const document = markdown(`${a9}\n# A\n${a9}\n## B\n${a9}\n### C \t D\n${a9}\n## E\n${a9}\n# F\n${a9}`);
    const chunks = await chunksOf(document, { chunkTokens: 18 }, wordTokenizer);
    assert.deepEqual(
      chunks.map(({ heading }) => heading),
      [undefined, 'A', 'A > B', 'A > B > C D', 'A > E', 'F'],
    );
  });

  it('with offsets that count code points', async () => {
    const [first, second] = await chunksOf(
      documentOf(`\u{1f600} ${a9}\n\n\u{1f601}\u{1f602} ${b9}`),
      { chunkTokens: 15 },
      wordTokenizer,
    );
    assert.deepEqual([first?.start, first?.end], [0, 29]);
    assert.deepEqual([second?.start, second?.end], [31, 61]);
  });
});

describe('a text without spaces is cut', () => {
  const texts = {
    'Chinese without punctuation': '的一是在不了有和人这中大为上个国我以要他'.repeat(500),
    'one word': 'abcdefghij0123456789'.repeat(2000),
    'emoji families': '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}'.repeat(1000),
    'combining marks': `z${'\u0335\u0321'.repeat(60)}`.repeat(50),
    Arabic: 'مرحبابالعالم'.repeat(500),
    'a ligature that NFKC makes eighteen letters of': '\ufdfa'.repeat(300),
  };
  for (const [name, text] of Object.entries(texts)) {
    it(`covering all of it: ${name}`, async () => {
      const tokenizer = await loadWordPiece();
      const size = { chunkTokens: 40, chunkOverlap: 9, prompt: 'passage: ' };
      const document = documentOf(text);
      await assertChunks(document, await chunksOf(document, size, tokenizer), size, tokenizer);
    });
  }

  it('without tearing graphemes apart where they fit', async () => {
    const family = '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}';
    const perCodePoint: Tokenizer = {
      specialTokens: 0,
      closingTokens: 0,
      count: (given) => Promise.resolve(given.map((text) => Array.from(text).length)),
      encode: (given) => Promise.resolve(given.map((text) => new Int32Array(Array.from(text).length))),
    };
    const chunks = await chunksOf(documentOf(family.repeat(100)), { chunkTokens: 32 }, perCodePoint);
    assert.ok(chunks.length > 15);
    assert.deepEqual(
      chunks.filter(({ text }) => text.replaceAll(family, '') !== ''),
      [],
    );
  });

  it('a single code point of more tokens than a chunk is truncated, and counted', async () => {
    const tokenizer: Tokenizer = {
      specialTokens: 2,
      closingTokens: 1,
      count: (given) =>
        Promise.resolve(given.map((text) => text.replaceAll('\u{1f4a3}', '*'.repeat(40)).length)),
      encode: (given) =>
        Promise.resolve(
          given.map((text) =>
            Int32Array.from([-1, ...Array.from(text.replaceAll('\u{1f4a3}', '*'.repeat(40)), () => 7), -2]),
          ),
        ),
    };
    const chunks = await chunksOf(documentOf('abc\u{1f4a3}def'), { chunkTokens: 20 }, tokenizer);
    assert.deepEqual(
      chunks.map(({ text, truncatedTokens }) => [text, truncatedTokens]),
      [
        ['abc', 0],
        ['\u{1f4a3}', 22],
        ['def', 0],
      ],
    );
    assert.deepEqual([...(chunks[1]?.tokenIds ?? [])], [-1, ...new Array<number>(18).fill(7), -2]);
  });
});

describe('a long text', () => {
  it('is tokenised twice, once in pieces and once in chunks, by few calls', async () => {
    const paragraph =
      'The quick brown fox jumps over the lazy dog, while nobody looks. It was seen before noon.\n';
    const text = `${paragraph.repeat(8)}\n`.repeat(800);
    const tokenizer = await loadWordPiece();
    let chars = 0;
    let calls = 0;
    const counted = <T>(work: (texts: readonly string[]) => Promise<T>) => {
      return (texts: readonly string[]): Promise<T> => {
        calls += 1;
        for (const each of texts) chars += each.length;
        return work(texts);
      };
    };
    const counting: Tokenizer = {
      specialTokens: tokenizer.specialTokens,
      closingTokens: tokenizer.closingTokens,
      count: counted((texts) => tokenizer.count(texts)),
      encode: counted((texts) => tokenizer.encode(texts)),
    };
    const size = { chunkTokens: 256, chunkOverlap: 0, prompt: '' };
    const document = documentOf(text);
    const chunks = await chunksOf(document, size, counting);
    assert.ok(chars < 2.1 * text.length, `${(chars / text.length).toFixed(2)} times`);
    assert.ok(calls < 50, `${calls} calls`);
    await assertChunks(document, chunks, size, tokenizer);
  });

  it('of one line has bounded chunks even where the tokenizer knows no word of it', async () => {
    const chunks = await chunksOf(
      documentOf('กขคง'.repeat(100_000)),
      { chunkTokens: 256 },
      await loadWordPiece(),
    );
    assert.ok(Math.max(...chunks.map(({ text }) => text.length)) <= 256 * 32);
  });
});
