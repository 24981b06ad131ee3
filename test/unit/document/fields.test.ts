import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DocumentOutcome, FieldMapping } from '#embatch/core/interfaces.js';
import { documentOfFields } from '#embatch/document/fields.js';
import { usualFields } from './objects.js';

function map(
  record: object,
  mapping: Partial<FieldMapping> = {},
  position: number | null = 7,
): DocumentOutcome {
  return documentOfFields(Object.entries(record), position, { ...usualFields, ...mapping });
}

describe('a record becomes a document', () => {
  const cases: [
    name: string,
    record: object,
    mapping: Partial<FieldMapping>,
    document: { record: unknown; text: string; title?: string; fields?: object },
    mapping: string,
  ][] = [
    [
      'by the usual names',
      { _id: 'a', title: 'T', text: 'x' },
      {},
      { record: { id: 'a' }, text: 'x', title: 'T' },
      'text from "text", id from "_id", title from "title"',
    ],
    [
      'by usual names in any case',
      { ID: 3, Content: 'x' },
      {},
      { record: { id: '3' }, text: 'x' },
      'text from "Content", id from "ID"',
    ],
    [
      'by the first of several names',
      { body: 'b', text: 't', id: 1, _id: 2 },
      {},
      { record: { id: '2' }, text: 't', fields: { body: 'b', id: 1 } },
      'text from "text", id from "_id"',
    ],
    [
      'by the first name that holds text',
      { text: null, content: { a: 1 }, body: 'b' },
      {},
      { record: 7, text: 'b', fields: { content: { a: 1 } } },
      'text from "body", id from the position',
    ],
    [
      'by given names',
      { key: 'k', words: 'w', text: 't', head: 'h' },
      { textField: 'words', idField: 'key', titleField: 'head' },
      { record: { id: 'k' }, text: 'w', title: 'h', fields: { text: 't' } },
      'text from "words", id from "key", title from "head"',
    ],
    [
      'by given paths',
      { meta: { body: 'w', n: 1 }, ids: { a: 5 } },
      { textField: 'meta.body', idField: 'ids.a' },
      { record: { id: '5' }, text: 'w', fields: { meta: { n: 1 }, ids: {} } },
      'text from "meta.body", id from "ids.a"',
    ],
    [
      'by a given name with a dot in it',
      { 'a.b': 'x', a: { b: 'y' } },
      { textField: 'a.b' },
      { record: 7, text: 'x', fields: { a: { b: 'y' } } },
      'text from "a.b", id from the position',
    ],
    [
      'of numbers and truth',
      { text: 42, id: true },
      {},
      { record: 7, text: '42', fields: { id: true } },
      'text from "text", id from the position',
    ],
    [
      'of a list of texts',
      { text: ['a', 'b', 3] },
      {},
      { record: 7, text: 'a\nb\n3' },
      'text from "text", id from the position',
    ],
    [
      'of all strings',
      { id: 'k', name: 'N', n: 1, a: { b: 'x', c: ['y', { d: 'z' }] }, e: ' ' },
      {},
      {
        record: { id: 'k' },
        text: 'name: N\na.b: x\na.c: y\na.c.d: z',
        title: 'N',
        fields: { n: 1, a: { b: 'x', c: ['y', { d: 'z' }] }, e: ' ' },
      },
      'text from all string fields, id from "id", title from "name"',
    ],
    [
      'without an id that is empty',
      { id: '', text: 'x' },
      {},
      { record: 7, text: 'x' },
      'text from "text", id from the position',
    ],
    [
      'without a title that is empty',
      { title: ' ', text: 'x' },
      {},
      { record: 7, text: 'x', fields: { title: ' ' } },
      'text from "text", id from the position',
    ],
    [
      'without fields that are empty',
      { text: 'x', a: null, b: '', c: 0 },
      {},
      { record: 7, text: 'x', fields: { c: 0 } },
      'text from "text", id from the position',
    ],
    [
      'with its text as it is',
      { text: ' x\n ' },
      {},
      { record: 7, text: ' x\n ' },
      'text from "text", id from the position',
    ],
  ];
  for (const [name, record, mapping, { title, fields, ...document }, words] of cases) {
    it(name, () => {
      assert.deepEqual(map(record, mapping), {
        kind: 'document',
        document: { headings: [], title, fields, ...document },
        mapping: words,
        ...(document.record === 7 ? {} : { position: 7 }),
      });
    });
  }

  it('of a whole object, whose id is a field like others', () => {
    assert.deepEqual(map({ id: 1, text: 'x' }, { idField: 'id' }, null), {
      kind: 'document',
      document: { record: null, text: 'x', title: undefined, headings: [], fields: { id: 1 } },
      mapping: 'text from "text"',
    });
  });
});

describe('a record is empty', () => {
  const cases: [name: string, record: object, mapping: Partial<FieldMapping>][] = [
    ['where its text is white space', { text: ' \n\t' }, {}],
    ['where its text is null', { text: null, other: 'x' }, {}],
    ['where a given text is null', { words: null }, { textField: 'words' }],
    ['where a given text is empty', { words: '' }, { textField: 'words' }],
    ['without fields', {}, {}],
    ['without strings', { a: 1, b: null, c: [2] }, {}],
  ];
  for (const [name, record, mapping] of cases) {
    it(name, () => assert.deepEqual(map(record, mapping), { kind: 'skipped', record: 7, reason: 'empty' }));
  }

  it('and is known by its id', () => {
    const position = 7;
    assert.deepEqual(map({ id: 'a', text: '' }), {
      kind: 'skipped',
      record: { id: 'a' },
      reason: 'empty',
      position,
    });
  });
});

describe('a record fails', () => {
  const deep = JSON.parse('[{"a":'.repeat(60) + '1' + '}]'.repeat(60)) as unknown;
  const cases: [name: string, record: object, mapping: Partial<FieldMapping>, reason: RegExp][] = [
    [
      'without the given text',
      { text: 'x', n: 1 },
      { textField: 'words' },
      /^no field "words" \(--text-field\); the record has "text", "n"$/,
    ],
    ['without the end of a path', { a: { b: 'x' } }, { textField: 'a.c' }, /^no field "a\.c"/],
    [
      'whose given text is an object',
      { a: { b: 'x' } },
      { textField: 'a' },
      /^the field "a" holds an object, not text$/,
    ],
    [
      'whose given text holds objects',
      { a: [{ b: 'x' }] },
      { textField: 'a' },
      /^the field "a" holds an array, not text$/,
    ],
    [
      'without the given id',
      { id: 1, text: 'x' },
      { idField: 'key' },
      /^no id in the field "key" \(--id-field\)/,
    ],
    ['whose given id is empty', { key: '', text: 'x' }, { idField: 'key' }, /^no id in the field "key"/],
    ['whose given id is null', { key: null, text: 'x' }, { idField: 'key' }, /^no id in the field "key"/],
    ['that is nested without end', { text: 'x', deep }, {}, /^the record is nested deeper than 100 levels$/],
    [
      'and names few of many fields',
      Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`f${n}`, n])),
      { textField: 'x' },
      /"f11" and 38 more$/,
    ],
  ];
  for (const [name, record, mapping, reason] of cases) {
    it(name, () => {
      const outcome = map(record, mapping);
      assert.equal(outcome.kind, 'failed');
      assert.equal(outcome.record, 7);
      assert.match(outcome.reason, reason);
    });
  }
});
