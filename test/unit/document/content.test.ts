import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { binaryType, formatOfText, isJsonLines, tableFormat } from '#embatch/document/content.js';

describe('binary content', () => {
  const cases: [name: string, bytes: Buffer, type: string | undefined][] = [
    ['English', Buffer.from('Hello, world\n'), undefined],
    ['a terminal log', Buffer.from('\x1b[31mred\x1b[0m\r\n\f'), undefined],
    ['Shift JIS', Buffer.from([0x82, 0xb1, 0x82, 0xea, 0x82, 0xcd, 0x83, 0x56, 0x83, 0x74]), undefined],
    ['one odd control character', Buffer.from('page\x01'), undefined],
    ['a NUL', Buffer.from('abc\0def'), 'application/octet-stream'],
    ['many control characters', Buffer.from('\x01\x02\x03\x04 abc'), 'application/octet-stream'],
    ['PDF without a NUL', Buffer.from('%PDF-1.4\n'), 'application/pdf'],
    ['PNG', Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), 'image/png'],
    ['Parquet', Buffer.from('PAR1\0\x15'), 'application/vnd.apache.parquet'],
    ['a text that begins with PAR1', Buffer.from('PAR1 is a signature'), undefined],
    ['a text that begins with ID3', Buffer.from('ID3 tags explained'), undefined],
    ['tar', Buffer.concat([Buffer.alloc(257), Buffer.from('ustar')]), 'application/x-tar'],
  ];
  for (const [name, bytes, type] of cases) {
    it(`${name}: ${type ?? 'text'}`, () => assert.equal(binaryType(bytes, 'utf-8'), type));
  }

  it('UTF-16 has NUL bytes and is text; a NUL character is not', () => {
    assert.equal(binaryType(Buffer.from('\ufeffabc', 'utf16le'), 'utf-16le'), undefined);
    assert.equal(binaryType(Buffer.from('\ufeffab\0c', 'utf16le'), 'utf-16le'), 'application/octet-stream');
  });
});

describe('the format of text without a telling name', () => {
  const cases: [head: string, format: string][] = [
    ['just words', 'text'],
    ['  <!DOCTYPE html><p>x', 'html'],
    ['<HTML lang=en>', 'html'],
    ['<!-- saved page -->\n<html>', 'html'],
    ['<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "x"><html>', 'html'],
    ['<?xml version="1.0"?><rss><channel/></rss>', 'xml'],
    ['<p>a fragment in a text</p>', 'text'],
    ['{\n  "a": 1\n}', 'json'],
    ['{"a":1}', 'json'],
    ['{"a":1}\n{"a":2}\n', 'jsonl'],
    ['{"a":1}\r\n\r\n{"a":2', 'jsonl'],
    ['[{"a":1}]', 'json'],
    ['[[wiki link]] and more', 'text'],
    ['[1] A reference', 'text'],
    ['{% extends "base" %}', 'text'],
    ['#include <stdio.h>', 'text'],
  ];
  for (const [head, format] of cases) {
    it(`${JSON.stringify(head)} is ${format}`, () => assert.equal(formatOfText(head), format));
  }

  it('pretty-printed JSON is not lines of JSON', () => assert.equal(isJsonLines('{\n"a": {\n}\n}'), false));
});

describe('the delimiter of a table', () => {
  const cases: [head: string, format: string][] = [
    ['id,text\n1;2;3;4', 'csv'],
    ['id;text\n1,2', 'ssv'],
    ['id\ttext', 'tsv'],
    ['id|text|c', 'psv'],
    ['"a;b;c;d",text', 'csv'],
    ['"a ""quoted"", name";b', 'ssv'],
    ['"a\nb;c;d";x\n1,2,3,4', 'ssv'],
    ['single', 'csv'],
  ];
  for (const [head, format] of cases) {
    it(`${JSON.stringify(head)} is ${format}`, () => assert.equal(tableFormat(head), format));
  }
});
