import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseMarkdown } from '#embatch/document/parse-markdown.js';

/** Headings as `level text`, each checked to stand where it says. */
function headings(text: string): string[] {
  const found = parseMarkdown(text).headings ?? [];
  for (const { start } of found) {
    assert.ok(start === 0 || /[\r\n]/.test(text[start - 1] ?? ''), `a line begins at ${start}`);
  }
  return found.map(({ level, text: words }) => `${level} ${words}`);
}

describe('headings of Markdown', () => {
  const cases: [name: string, text: string, headings: string[]][] = [
    [
      'of all levels',
      '# a\n## b\n### c\n#### d\n##### e\n###### f\n####### g\n',
      ['1 a', '2 b', '3 c', '4 d', '5 e', '6 f'],
    ],
    ['with other line ends', '# a\r\nx\r\n## b\rx\r# c', ['1 a', '2 b', '1 c']],
    ['after characters of two code units', '😀😀\n# 日本\n', ['1 日本']],
    ['need a space', '#tag\n#!/bin/sh\n#\tx\n#\n', ['1 x']],
    ['may be closed and indented', '   ## a ##  \n# b#\n# c \\#\n    # code\n', ['2 a', '1 b#', '1 c #']],
    ['not within fences', '```\n# a\n```\n# b\n~~~ sh\n# c\n```\n# d\n~~~\n# e', ['1 b', '1 e']],
    ['not within longer fences', '````\n```\n# a\n````\n# b', ['1 b']],
    ['not within a fence that is never closed', '# a\n```\n# b\n', ['1 a']],
    ['behind code in a line', '``` `x` ```\n# a', ['1 a']],
    ['not within comments', '<!-- # a\n\n# b\n-->\n# c\n<!-- d -->\n# e', ['1 c', '1 e']],
    ['underlined', 'a\n===\n\nb c\n---\n\n---\n\n- item\n---\n| t |\n---\n', ['1 a', '2 b c']],
    [
      'without marks',
      '# **a** `b*` [c](http://d) ![e](f) <b>g</b> snake_case_name {#id .x}',
      ['1 a b* c e g snake_case_name'],
    ],
    ['without words are none', '# \n## ##\n# <br>\n', []],
  ];
  for (const [name, text, expected] of cases) it(name, () => assert.deepEqual(headings(text), expected));
});

describe('Markdown', () => {
  it('stays as it is', () => {
    const text = '# a\r\n\r\n  *b* <i>c</i>  \r\n';
    assert.deepEqual(parseMarkdown(text), {
      text,
      title: 'a',
      headings: [{ start: 0, level: 1, text: 'a' }],
      fields: undefined,
    });
  });

  it('gets title and fields from front matter, which is no text', () => {
    const source = '---\ntitle: "T: t"\ntags: [a, b]\nn: 1\n---\n# h\nx';
    assert.deepEqual(parseMarkdown(source), {
      text: '# h\nx',
      title: 'T: t',
      headings: [{ start: 0, level: 1, text: 'h' }],
      fields: { tags: ['a', 'b'], n: 1 },
    });
  });

  const kept: [name: string, source: string][] = [
    ['that is no YAML', '---\na: [\n---\nx'],
    ['that is no mapping', '---\njust text\n---\nx'],
    ['that never ends', '---\na: 1\nx'],
    ['that does not come first', 'x\n---\na: 1\n---\n'],
    ['without a text behind it', '---\ndescription: all there is\n---\n\n'],
    [
      'of aliases that multiply',
      `---\na: &a [x,x]\n${'bcdefgh'
        .split('')
        .map((n, i) => `${n}: &${n} [${`*${'abcdefg'[i] ?? ''},`.repeat(9)}]`)
        .join('\n')}\n---\nx`,
    ],
  ];
  for (const [name, source] of kept) {
    it(`keeps front matter ${name}`, () => {
      const { text, fields } = parseMarkdown(source);
      assert.equal(text, source);
      assert.equal(fields, undefined);
    });
  }

  it('without a heading has no title', () => assert.equal(parseMarkdown('text').title, undefined));
});
