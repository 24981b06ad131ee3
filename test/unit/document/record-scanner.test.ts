import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RecordScanner, recordRanges } from '#embatch/document/record-scanner.js';

/** Records as the text between their ends. */
function records(text: string, format: string, encoding = 'utf-8'): string[] {
  const bytes = encodeAs(text, encoding);
  return recordRanges(bytes, format, encoding).map(({ start, end }) =>
    new TextDecoder(encoding).decode(bytes.subarray(start, end)),
  );
}

function encodeAs(text: string, encoding: string): Buffer {
  if (encoding === 'utf-8') return Buffer.from(text);
  const bytes = Buffer.from(text, 'utf16le');
  return encoding === 'utf-16be' ? bytes.swap16() : bytes;
}

const cases: [name: string, format: string, text: string, records: string[]][] = [
  ['LF', 'jsonl', 'a\nb\n', ['a\n', 'b\n']],
  ['CR LF', 'jsonl', 'a\r\nb\r\n', ['a\r\n', 'b\r\n']],
  ['CR only', 'jsonl', 'a\rb\r', ['a\r', 'b\r']],
  ['no final line end', 'jsonl', 'a\nb', ['a\n', 'b']],
  ['blank lines', 'jsonl', 'a\n\n\r\r\nb', ['a\n', '\n', '\r', '\r\n', 'b']],
  ['quotes mean nothing in lines', 'jsonl', '"a\nb"\n', ['"a\n', 'b"\n']],
  ['line ends within quotes', 'csv', 'a,"x\ny\r\nz"\nb\n', ['a,"x\ny\r\nz"\n', 'b\n']],
  ['pairs of quotes', 'csv', '"a ""\n"" b",c\nd\n', ['"a ""\n"" b",c\n', 'd\n']],
  ['a quote within a cell is text', 'csv', '5" pipe,x\n6" pipe,y\n', ['5" pipe,x\n', '6" pipe,y\n']],
  ['a quote behind a space is text', 'csv', 'a, "b\nc"\n', ['a, "b\n', 'c"\n']],
  ['text behind a closing quote', 'csv', '"a"b"\nc\n', ['"a"b"\n', 'c\n']],
  ['empty quoted cells', 'csv', '"",""\n"",""\n', ['"",""\n', '"",""\n']],
  ['a quote that never ends', 'csv', 'a\n"b\nc\n', ['a\n', '"b\nc\n']],
  ['other delimiters', 'tsv', 'a\t"x\ny"\nb,"c\n', ['a\t"x\ny"\n', 'b,"c\n']],
  ['many bytes a character', 'csv', 'é,"日\n本"\n😀\n', ['é,"日\n本"\n', '😀\n']],
  // In UTF-16 these hold the bytes of a quote, a comma and line ends, half in one character and half in the next.
  [
    'characters that look like others',
    'csv',
    '\u2212一,\u0a22\u3000\u2c41Ā\u0d0aa\n"∢\n"\n',
    ['\u2212一,\u0a22\u3000\u2c41Ā\u0d0aa\n', '"∢\n"\n'],
  ],
];

describe('records end where', () => {
  for (const encoding of ['utf-8', 'utf-16le', 'utf-16be']) {
    for (const [name, format, text, expected] of cases) {
      it(`${name} (${format}, ${encoding})`, () =>
        assert.deepEqual(records(text, format, encoding), expected));
    }
  }

  it('the bytes say, however they come', () => {
    for (const encoding of ['utf-8', 'utf-16le', 'utf-16be']) {
      for (const [name, format, text] of cases) {
        const bytes = encodeAs(text, encoding);
        const unit = encoding === 'utf-8' ? 1 : 2;
        const whole = recordRanges(bytes, format, encoding).map(({ end }) => end);
        for (let size = unit; size <= bytes.length; size += unit) {
          const scanner = new RecordScanner(format, encoding);
          const plain = new RecordScanner(format, encoding);
          const found: number[] = [];
          for (let at = 0; at < bytes.length; at += size) {
            const piece = bytes.subarray(at, at + size);
            const ends: number[] = [];
            const span = scanner.scan(piece, ends);
            assert.deepEqual(plain.scan(piece), span, `${name}: first and last end`);
            assert.deepEqual(
              span && [span.first, span.last],
              ends.length > 0 ? [ends[0], ends.at(-1)] : undefined,
            );
            found.push(...ends.map((end) => at + end));
          }
          if (found.at(-1) !== bytes.length) found.push(bytes.length);
          assert.deepEqual(found, whole, `${name} in pieces of ${size} bytes, ${encoding}`);
        }
      }
    }
  });
});
