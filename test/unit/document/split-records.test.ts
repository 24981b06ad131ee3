import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brief, objectOf, readAll, readDocuments } from './objects.js';

/** Lines of which the third and the last are longer than {@link MAX}. */
const MAX = 60;
const long = 'x'.repeat(100);
const lines = [
  '{"text":"a"}\n',
  '\n',
  `{"text":"${long}"}\r\n`,
  '{"text":"é日本😀"}\r',
  '{"text":"b"}\r\n',
  `{"text":"${long}`,
];
const rows = [
  'n;"the text"\n',
  '\n',
  '1;"a ""b""\n;c"\r\n',
  `2;"${long}\n"\n`,
  '3;é日本😀\r',
  '4;5" pipe\n',
  '5;',
  long,
];

function encoded(text: string, encoding: string): Buffer {
  if (encoding === 'utf-8') return Buffer.from(text);
  const bytes = Buffer.from(`\ufeff${text}`, 'utf16le');
  return encoding === 'utf-16be' ? bytes.swap16() : bytes;
}

/** Where the n-th of the pieces begins. */
function offsetOf(pieces: readonly string[], n: number, encoding: string): number {
  return encoded(pieces.slice(0, n).join(''), encoding).length;
}

describe('records', () => {
  for (const encoding of ['utf-8', 'utf-16le', 'utf-16be']) {
    const wide = encoding === 'utf-8' ? 1 : 2;
    const tooLong = `the record is longer than ${MAX * wide} B (--max-document-bytes)`;

    it(`of JSON lines are the same in parts of any size, however the bytes come (${encoding})`, async () => {
      const at = (n: number): number => offsetOf(lines, n, encoding);
      const expected = [
        `${at(0)} "a"`,
        `${at(2)} failed: ${tooLong}`,
        `${at(3)} "é日本😀"`,
        `${at(4)} "b"`,
        `${at(5)} failed: ${tooLong}`,
      ];
      const content = encoded(lines.join(''), encoding);
      for (const pieceBytes of [1, 2, 3, 16, 1000]) {
        for (const partBytes of [1, 7, 30, 60, 1000]) {
          const open = objectOf('a.jsonl', content, pieceBytes);
          const { outcomes } = await readDocuments(open, {}, { partBytes, maxDocumentBytes: MAX * wide });
          assert.deepEqual(brief(outcomes), expected, `pieces of ${pieceBytes}, parts of ${partBytes} bytes`);
        }
      }
    });

    it(`of tables are the same in parts of any size, however the bytes come (${encoding})`, async () => {
      const at = (n: number): number => offsetOf(rows, n, encoding);
      const expected = [
        `${at(2)} "a \\"b\\"\\n;c"`,
        `${at(3)} failed: ${tooLong}`,
        `${at(4)} "é日本😀"`,
        `${at(5)} "5\\" pipe"`,
        `${at(6)} failed: ${tooLong}`,
      ];
      const content = encoded(rows.join(''), encoding);
      const mapping = { textField: 'the text' };
      for (const pieceBytes of [1, 2, 3, 16, 1000]) {
        for (const partBytes of [1, 7, 30, 60, 1000]) {
          const open = objectOf('a.csv', content, pieceBytes);
          const limits = { partBytes, maxDocumentBytes: MAX * wide };
          const { outcomes } = await readDocuments(open, mapping, limits);
          assert.deepEqual(brief(outcomes), expected, `pieces of ${pieceBytes}, parts of ${partBytes} bytes`);
        }
      }
    });
  }

  it('come in parts of about the size asked for, whose bytes own their buffer and make up the object', async () => {
    const content = Buffer.from(
      Array.from({ length: 20_000 }, (_, n) => `{"id":${n},"text":"number ${n}"}\n`).join(''),
    );
    for (const pieceBytes of [1000, 65_536, 10_000_000]) {
      const parts = (await readAll(objectOf('a.jsonl', content, pieceBytes), { partBytes: 20_000 })).map(
        (outcome) => {
          assert.equal(outcome.kind, 'part');
          return outcome.part;
        },
      );
      let offset = 0;
      for (const [index, { bytes, offset: begin }] of parts.entries()) {
        assert.equal(begin, offset);
        assert.equal(bytes.buffer.byteLength, bytes.length);
        assert.ok(
          bytes.length <= 40_000 && (bytes.length > 15_000 || index === parts.length - 1),
          `${bytes.length} bytes`,
        );
        offset += bytes.length;
      }
      assert.ok(Buffer.concat(parts.map(({ bytes }) => bytes)).equals(content));
    }
  });

  it('as long as the limit are taken, and one byte more is too long', async () => {
    const line = '{"text":"abc"}\n';
    for (const partBytes of [4, 1000]) {
      const read = async (maxDocumentBytes: number): Promise<string[]> => {
        const open = objectOf('a.jsonl', `${line}${line}`);
        return (await readDocuments(open, {}, { maxDocumentBytes, partBytes })).outcomes.map(
          ({ kind }) => kind,
        );
      };
      assert.deepEqual(await read(line.length), ['document', 'document']);
      assert.deepEqual(await read(line.length - 1), ['failed', 'failed']);
    }
  });

  it('far longer than the limit are passed over without being held', async () => {
    const pieceBytes = 1 << 20;
    async function* body(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('{"text":"first"}\n{"text":"');
      for (let n = 0; n < 300; n += 1) yield Buffer.alloc(pieceBytes, 'x');
      yield Buffer.from('"}\n{"text":"last"}\n');
    }
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    async function* watched(): AsyncGenerator<Uint8Array> {
      for await (const bytes of body()) {
        most = Math.max(most, process.memoryUsage().arrayBuffers - before);
        yield bytes;
      }
    }
    const open = { ...objectOf('a.jsonl', 'x'), body: watched() };
    const { outcomes } = await readDocuments(open, {}, { maxDocumentBytes: 5_000_000 });
    const [first, failed, last] = brief(outcomes);
    assert.equal(first, '0 "first"');
    assert.match(failed ?? '', /^17 failed: the record is longer than 5 MB/);
    assert.equal(last, `${17 + 9 + 300 * pieceBytes + 3} "last"`);
    assert.ok(most < 150_000_000, `held ${most} bytes`);
  });
});
