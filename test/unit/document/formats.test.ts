import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { typeOfKey, unreadTypeOfKey } from '#embatch/document/formats.js';

describe('the type of a key', () => {
  const formats: [key: string, format: string | undefined, gzip: boolean][] = [
    ['notes.txt', 'text', false],
    ['a/b/UPPER.MD', 'markdown', false],
    ['part-0.jsonl.gz', 'jsonl', true],
    ['PART.NDJSON.GZ', 'jsonl', true],
    ['page.htm', 'html', false],
    ['feed.xml', 'xml', false],
    ['archive.tar.gz.txt', 'text', false],
    ['table.tsv', 'tsv', false],
    ['no_extension', undefined, false],
    ['dir.csv/no_extension', undefined, false],
    ['only.gz', undefined, true],
    ['.env', undefined, false],
    ['main.py', undefined, false],
    ['trailing-dot.', undefined, false],
    ['folder/', undefined, false],
  ];
  for (const [key, format, gzip] of formats) {
    it(`${key} is ${format ?? 'left to the content'}${gzip ? ', compressed' : ''}`, () => {
      assert.deepEqual(typeOfKey(key), { format, gzip, unread: undefined });
      assert.equal(unreadTypeOfKey(key), undefined);
    });
  }

  const unread: [key: string, reason: string][] = [
    ['a.PDF', 'type:application/pdf'],
    ['a.pdf.gz', 'type:application/pdf'],
    ['backup.tar.gz', 'type:application/x-tar'],
    ['backup.tgz', 'type:application/gzip'],
    ['data.parquet', 'type:application/vnd.apache.parquet'],
    ['x/photo.jpeg', 'type:image/jpeg'],
    ['x.docx', 'type:application/vnd.openxmlformats-officedocument.wordprocessingml.document'],
  ];
  for (const [key, reason] of unread) {
    it(`${key} need not be opened`, () => assert.equal(unreadTypeOfKey(key), reason));
  }
});
