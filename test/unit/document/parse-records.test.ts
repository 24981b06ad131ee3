import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FieldMapping } from '#embatch/core/interfaces.js';
import { columnNames, parseCells } from '#embatch/document/cells.js';
import { parseJson } from '#embatch/document/json-text.js';
import { brief, objectOf, readDocuments } from './objects.js';

async function read(
  key: string,
  content: string | Uint8Array,
  mapping: Partial<FieldMapping> = {},
): Promise<string[]> {
  return brief((await readDocuments(objectOf(key, content), mapping)).outcomes);
}

describe('lines of JSON', () => {
  it('are one document each, with the offset of their first byte', async () => {
    assert.deepEqual(await read('a.jsonl', '\ufeff{"text":"é"}\n\n  {"text":"b"}\r\n\t\r\n{"text":"c"}'), [
      '3 "é"',
      '18 "b"',
      '37 "c"',
    ]);
  });

  it('that are no objects fail one by one, with their offset and what is wrong', async () => {
    const lines = ['{"text":"a"', 'not json', '[1]', '"text"', 'null', '{"text":null}', '{}', '{"text":"b"}'];
    const outcomes = await read('a.jsonl', lines.join('\n'));
    const offset = (n: number): number => lines.slice(0, n).join('\n').length + (n > 0 ? 1 : 0);
    assert.match(outcomes[0] ?? '', /^0 failed: invalid JSON in the line at byte 0: .*position 11/);
    assert.match(outcomes[1] ?? '', /^12 failed: invalid JSON in the line at byte 12: /);
    assert.deepEqual(outcomes.slice(2), [
      `${offset(2)} failed: the line at byte ${offset(2)} holds an array, not an object`,
      `${offset(3)} failed: the line at byte ${offset(3)} holds a string, not an object`,
      `${offset(4)} failed: the line at byte ${offset(4)} holds null, not an object`,
      `${offset(5)} skipped: empty`,
      `${offset(6)} skipped: empty`,
      `${offset(7)} "b"`,
    ]);
  });

  it('may hide under the name .json, and in an object without a name for them', async () => {
    for (const key of ['a.json', 'a']) {
      assert.deepEqual(await read(key, '{"text":"a"}\n{"text":"b"}\n'), ['0 "a"', '13 "b"']);
    }
    const long = 'x'.repeat(100_000);
    assert.deepEqual(await read('a.json', `{"text":"${long}"}\n{"text":"b"}`), [`0 "${long}"`, '100012 "b"']);
  });

  it('count invalid bytes and keep the text', async () => {
    const content = Buffer.concat([Buffer.from('{"text":"a'), Buffer.of(0xff), Buffer.from('"}\n')]);
    const { outcomes, invalidBytes } = await readDocuments(objectOf('a.jsonl', content));
    assert.deepEqual(brief(outcomes), ['0 "a\ufffd"']);
    assert.equal(invalidBytes, 1);
  });
});

describe('JSON', () => {
  const cases: [name: string, text: string, value: unknown][] = [
    [
      'keeps integers that are safe',
      '{"id":9007199254740991,"n":-1234567890123456}',
      { id: 9007199254740991, n: -1234567890123456 },
    ],
    [
      'keeps the digits of those that are not',
      '[12345678901234567890,-9007199254740993]',
      ['12345678901234567890', '-9007199254740993'],
    ],
    [
      'leaves digits in strings alone',
      '{"a":"12345678901234567890","b\\"":"\\"12345678901234567890"}',
      { a: '12345678901234567890', 'b"': '"12345678901234567890' },
    ],
    [
      'leaves digits behind a quote in a string alone',
      '["\\"12345678901234567890"]',
      ['"12345678901234567890'],
    ],
    ['leaves fractions alone', '[1234567890123456.7890,1e300]', [1234567890123456.8, 1e300]],
    ['keeps pairs of surrogates', '"\\ud83d\\ude00"', '😀'],
    ['replaces halves of them', '["\\ud83d","x\\ude00y","\\\\ud83d"]', ['\ufffd', 'x\ufffdy', '\\ud83d']],
  ];
  for (const [name, text, value] of cases) it(name, () => assert.deepEqual(parseJson(text), value));

  it('of a very long string beside a long number is read', () => {
    const text = JSON.stringify('\\"x'.repeat(3_000_000));
    assert.equal((parseJson(`[${text},12345678901234567890]`) as string[])[1], '12345678901234567890');
  });
});

describe('a JSON file', () => {
  const cases: [name: string, content: string, outcomes: string[]][] = [
    ['with an object is one document', '{\n "id": 1, "text": "a"}', ['null "a"']],
    ['with nested texts is one document', '{\n"a":{"b":"x"},"c":["y","z"]}', ['null "a.b: x\\nc: y\\nc: z"']],
    [
      'with an array is one document an element',
      '[{"id":"k","text":"a"}, {"text":"b"}, "c", ""]',
      ['{"id":"k"} "a"', '1 "b"', '2 "c"', '3 skipped: empty'],
    ],
    ['with an empty array is empty', '[]', ['null skipped: empty']],
    ['with a text is that text', '"a"', ['null "a"']],
    [
      'with an element that is no text fails there',
      '[{"text":"a"},5]',
      ['0 "a"', '1 failed: element 1 of the array holds a number, not an object or a text'],
    ],
    ['with a number fails', '5', ['null failed: the file holds a number, not an object or a text']],
  ];
  for (const [name, content, outcomes] of cases) {
    it(name, async () => assert.deepEqual(await read('a.json', content), outcomes));
  }

  it('that is no JSON fails with the position', async () => {
    const [outcome] = await read('a.json', '{\n"text": "a",\n}');
    assert.match(outcome ?? '', /^null failed: invalid JSON: .*(position 15|line 3)/);
  });
});

describe('a table', () => {
  it('is one document a row, with the offset of its first byte', async () => {
    const rows = ['\ufeffid,text\r\n', 'a,"x, ""é""\r\ny"\r\n', '\r\n', ',日本\r\n', 'c,\r\n', 'd'];
    const at = (n: number): number => Buffer.from(rows.slice(0, n).join('')).length;
    assert.deepEqual(
      await read('a.csv', rows.join('')),
      ['{"id":"a"} "x, \\"é\\"\\r\\ny"', `${at(3)} "日本"`, '{"id":"c"} skipped: empty', '{"id":"d"} "id: d"']
        .slice(0, 3)
        .concat('{"id":"d"} skipped: empty'),
    );
  });

  it('without a column for the text is read whole, empty cells left out', async () => {
    const { outcomes } = await readDocuments(objectOf('a.tsv', 'city\tpopulation\tnote\nRome\t2800000\t\n'));
    assert.deepEqual(outcomes, [
      {
        kind: 'document',
        document: {
          record: 21,
          text: 'city: Rome\npopulation: 2800000',
          title: undefined,
          headings: [],
          fields: { city: 'Rome', population: '2800000' },
        },
        mapping: 'text from all string fields, id from the position',
      },
    ]);
  });

  it('keeps the order of columns that are called by numbers', async () => {
    assert.deepEqual(await read('a.csv', 'b,2020,2019\nx,y,z\n'), ['12 "b: x\\n2020: y\\n2019: z"']);
  });

  it('may have rows that are too long', async () => {
    assert.deepEqual(await read('a.csv', 'a,column_3\n1,2,3,4\n'), [
      '11 "a: 1\\ncolumn_3: 2\\ncolumn_3_: 3\\ncolumn_4: 4"',
    ]);
  });

  it('fails where a quote never ends, with the offset of the row', async () => {
    assert.deepEqual(await read('a.csv', 'text\n"a"\n"b\nc\n'), [
      '5 "a"',
      '9 failed: the row at byte 9 has a quote that never ends',
    ]);
  });

  it('fails row by row where the given column is missing', async () => {
    const [outcome] = await read('a.csv', 'a,b\n1,2\n', { textField: 'body' });
    assert.equal(outcome, '4 failed: no field "body" (--text-field); the record has "a", "b"');
  });

  const records: [record: string, cells: string[]][] = [
    ['a,b\n', ['a', 'b']],
    ['a,\r\n', ['a', '']],
    [',,', ['', '', '']],
    ['"a,b","c\nd"\r', ['a,b', 'c\nd']],
    ['"a ""b"" c"', ['a "b" c']],
    ['""', ['']],
    ['"a"b,c', ['ab', 'c']],
    ['a"b",c', ['a"b"', 'c']],
    [' "a" ,b ', [' "a" ', 'b ']],
    ['"a\n"\n', ['a\n']],
  ];
  for (const [record, cells] of records) {
    it(`reads ${JSON.stringify(record)}`, () => assert.deepEqual(parseCells(record, ','), cells));
  }

  it('has columns of distinct names', () => {
    assert.deepEqual(columnNames(['a', '', ' a ', 'column_2', 'a', 'a_2']), [
      'a',
      'column_2',
      'a_2',
      'column_2_2',
      'a_3',
      'a_2_2',
    ]);
  });
});
