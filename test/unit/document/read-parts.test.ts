import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { PartOutcome } from '#embatch/core/interfaces.js';
import { readParts } from '#embatch/document/read-parts.js';
import { objectOf, options, readAll } from './objects.js';

/** Text that hardly compresses: its bytes stand where one expects them. */
const dense = Array.from({ length: 120 }, (_, n) =>
  createHash('sha256').update(String(n)).digest('base64'),
).join('');

describe('an object is left out', () => {
  const cases: [name: string, key: string, content: Uint8Array | string, reason: string][] = [
    ['without a byte', 'a.txt', '', 'empty'],
    ['without a byte under a .gz name', 'a.txt.gz', '', 'empty'],
    ['with nothing in its gzip', 'a.txt.gz', gzipSync(''), 'empty'],
    ['with a header row only', 'a.csv', 'id,text\n', 'empty'],
    ['with a byte-order mark only', 'a.jsonl', '\ufeff', 'empty'],
    ['of a type told by the name', 'a.pdf', 'anything', 'type:application/pdf'],
    ['of a type told by the name in .gz', 'a.parquet.gz', 'anything', 'type:application/vnd.apache.parquet'],
    ['of a type told by the content', 'a', '%PDF-1.7', 'type:application/pdf'],
    ['of a type told by the compressed content', 'a', gzipSync('PK\x03\x04\0\0'), 'type:application/zip'],
    ['binary and of no type we know', 'a.dat', Buffer.from([1, 0, 2]), 'type:application/octet-stream'],
  ];
  for (const [name, key, content, reason] of cases) {
    it(name, async () => {
      const open = objectOf(key, content);
      assert.deepEqual(await readAll(open), [{ kind: 'skipped', reason }]);
    });
  }
});

describe('an object fails', () => {
  const text = 'some text, '.repeat(40);
  const cases: [name: string, key: string, content: Uint8Array | string, reason: RegExp][] = [
    ['binary under a text name', 'a.txt', Buffer.from('a\0b'), /^binary content under a text name/],
    ['an image under a text name', 'a.md', '\x89PNG\r\n\x1a\n\0', /under a text name/],
    ['text under a .gz name', 'a.txt.gz', 'text', /^not gzip data/],
    ['gzip cut in its header', 'a.txt.gz', gzipSync('').subarray(0, 5), /^truncated gzip data/],
    [
      'gzip cut in its data',
      'a.txt.gz',
      gzipSync(dense).subarray(0, -500),
      /^truncated gzip data after 4,\d\d\d dec/,
    ],
    [
      'gzip cut in its trailer',
      'a.txt.gz',
      gzipSync(text).subarray(0, -3),
      /^truncated gzip data after 440 dec/,
    ],
    [
      'gzip with a wrong checksum',
      'a.txt.gz',
      flipped(gzipSync(text), -6),
      /^corrupt gzip data \(checksum\)/,
    ],
    ['gzip with damage within', 'a.txt.gz', flipped(gzipSync(dense), 2000), /^corrupt gzip data/],
    [
      'gzip and then something else',
      'a.txt.gz',
      Buffer.concat([gzipSync(text), Buffer.from('junk')]),
      /^bytes that/,
    ],
    [
      'a header row with an endless quote',
      'a.csv',
      'id,"te\nx',
      /^the header row has a quote that never ends/,
    ],
    ['an endless header row', 'a.csv', text, /^the header row is longer than 100 B/],
    [
      'longer than the limit',
      'a.txt',
      text,
      /^too large: 440 B, the limit is 100 B \(--max-document-bytes\)/,
    ],
    ['longer than the limit when decompressed', 'a.txt.gz', gzipSync(text), /^too large: more than 100 B/],
  ];
  for (const [name, key, content, reason] of cases) {
    it(name, async () => {
      const limits = reason.source.includes('100 B') ? { maxDocumentBytes: 100 } : {};
      const [outcome, ...others] = await readAll(objectOf(key, content), limits);
      assert.deepEqual(others, []);
      assert.equal(outcome?.kind, 'failed');
      assert.equal(outcome.record, null);
      assert.match(outcome.reason, reason);
    });
  }
});

describe('an object that is one document', () => {
  const korean = '<meta http-equiv="Content-Type" content="text/html; charset=EUC-KR">';
  const cases: [name: string, key: string, content: Uint8Array | string, format: string, encoding: string][] =
    [
      ['by its name', 'A.TXT', '<html>', 'text', 'utf-8'],
      ['by its content', 'page', '<!doctype html><p>x', 'html', 'utf-8'],
      ['by its compressed content', 'page', gzipSync('<!doctype html><p>x'), 'html', 'utf-8'],
      ['compressed without saying so', 'a.md', gzipSync('# x'), 'markdown', 'utf-8'],
      ['in the encoding of a meta element', 'a.html', `<head>${korean}`, 'html', 'euc-kr'],
      [
        'in the encoding of a meta charset',
        'a.html',
        "<meta charset='ISO-8859-1' />",
        'html',
        'windows-1252',
      ],
      [
        'in the encoding of an XML declaration',
        'a.xml',
        '<?xml version="1.0" encoding="koi8-r"?><a/>',
        'xml',
        'koi8-r',
      ],
      ['in an encoding that nobody knows', 'a.html', '<meta charset=klingon>', 'html', 'utf-8'],
      ['with a declaration in a comment', 'a.html', '<!-- <meta charset=koi8-r> -->', 'html', 'utf-8'],
      ['whose declaration cannot be true', 'a.html', '<meta charset=utf-16>', 'html', 'utf-8'],
      ['with a byte-order mark before all', 'a.html', `\ufeff${korean}`, 'html', 'utf-8'],
      ['in UTF-16LE', 'a.txt', Buffer.from('\ufeffabc', 'utf16le'), 'text', 'utf-16le'],
      ['in UTF-16BE', 'a.txt', Buffer.from('\ufeffabc', 'utf16le').swap16(), 'text', 'utf-16be'],
      ['of text that declares nothing', 'a.txt', korean, 'text', 'utf-8'],
      ['of JSON', 'a.json', '{\n"a": {"b": 1}\n}', 'json', 'utf-8'],
    ];
  for (const [name, key, content, format, encoding] of cases) {
    it(`${name} is one part, as it is`, async () => {
      const [outcome, ...others] = await readAll(objectOf(key, content, 7));
      assert.deepEqual(others, []);
      assert.equal(outcome?.kind, 'part');
      const { bytes, ...rest } = outcome.part;
      assert.deepEqual(rest, { format, encoding, offset: 0 });
      const plain = Buffer.from(content);
      assert.deepEqual(Buffer.from(bytes), plain[0] === 0x1f ? gunzipSync(plain) : plain);
    });
  }
});

describe('gzip', () => {
  const lines = Array.from({ length: 500 }, (_, n) => `{"n":${n},"text":"${dense.slice(n, n + 60)}"}\n`);
  const members = [lines.slice(0, 200), lines.slice(200, 201), [''], lines.slice(201)].map((part) =>
    gzipSync(part.join('')),
  );

  it('of several members is one text, wherever its bytes are cut', async () => {
    for (const pieceBytes of [1, 10, 4096, 4097, 1 << 20]) {
      const parts = await readAll(objectOf('a.jsonl.gz', Buffer.concat(members), pieceBytes));
      assert.equal(textOf(parts), lines.join(''));
    }
  });

  it('may name its file, have a comment and extra fields, and be padded with zeros', async () => {
    const plain = gzipSync('hello');
    const header = Buffer.from(plain.subarray(0, 10));
    header[3] = 0x04 | 0x08 | 0x10 | 0x02;
    const fields = Buffer.from('\x03\0abcname\0comment\0\x12\x34', 'latin1');
    const content = Buffer.concat([header, fields, plain.subarray(10), Buffer.alloc(700)]);
    assert.equal(textOf(await readAll(objectOf('a.txt.gz', content, 3))), 'hello');
  });

  it('gives the whole records before a damage, the same ones however the bytes come', async () => {
    const whole = gzipSync(lines.join(''));
    // The first bits of a member say how it is compressed; all ones means nothing.
    const broken = gzipSync(lines.join(''));
    broken[10] = 0xff;
    for (const [name, damaged, reason] of [
      ['truncated', whole.subarray(0, -1000), /^truncated gzip data/],
      ['corrupt', Buffer.concat([whole, broken]), /^corrupt gzip data after/],
      ['followed by junk', Buffer.concat([whole, Buffer.from('junk')]), /^bytes that are no gzip data/],
    ] as const) {
      const reads = await Promise.all(
        [1, 1000, 1 << 20].map((pieceBytes) => readAll(objectOf('a.jsonl.gz', damaged, pieceBytes))),
      );
      for (const outcomes of reads) {
        const last = outcomes.at(-1);
        assert.equal(last?.kind, 'failed', name);
        assert.match(last.reason, reason);
        const text = textOf(outcomes);
        assert.ok(text.length > lines.join('').length / 2, `${name}: most of the records come out`);
        assert.ok(
          lines.join('').startsWith(text) && text.endsWith('}\n'),
          `${name}: whole records, unchanged`,
        );
        assert.equal(text, textOf(reads[0] ?? []));
      }
    }
  });

  it('that grows a thousandfold is given up at the limit, with most of it unread', async () => {
    const open = objectOf('a.txt.gz', gzipSync('a'.repeat(50_000_000)), 1024);
    const outcomes = await readAll(open, { maxDocumentBytes: 1_000_000 });
    assert.match(
      JSON.stringify(outcomes),
      /^\[\{"kind":"failed","record":null,"reason":"too large: more than 1 MB/,
    );
    assert.ok(open.watch.readBytes < 10 * 1024, `read ${open.watch.readBytes} bytes`);
    assert.equal(open.watch.ended, 1);
  });
});

describe('the body', () => {
  it('is ended when the reader stops early', async () => {
    const open = objectOf('a.jsonl', '{"text":"x"}\n'.repeat(10_000), 1000);
    const parts = readParts(open, { ...options, partBytes: 2000 });
    assert.equal((await parts.next()).done, false);
    await parts.return();
    assert.equal(open.watch.ended, 1);
    assert.ok(open.watch.readBytes < 20_000);
  });

  it('is ended without being read where the limit is known to be passed', async () => {
    const open = objectOf('a.txt', 'x'.repeat(100_000), 5000);
    await readAll(open, { maxDocumentBytes: 50_000 });
    assert.deepEqual(open.watch, { ended: 1, readBytes: 5000 });
  });

  it('throws its own errors, also through gzip and after a part', async () => {
    const failure = new Error('the socket closed');
    async function* body(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
      yield bytes;
      throw failure;
    }
    for (const [key, bytes] of [
      ['a.txt', Buffer.from('text')],
      ['a.txt', Buffer.alloc(0)],
      ['a.txt.gz', gzipSync('text').subarray(0, 15)],
      ['a.jsonl', Buffer.from('{"text":"x"}\n'.repeat(10_000))],
    ] as const) {
      const open = { ...objectOf(key, bytes), body: body(bytes) };
      await assert.rejects(readAll(open), failure);
    }
  });

  it('is not begun when the signal has fired, and the reason is thrown', async () => {
    const open = objectOf('a.txt', 'text');
    await assert.rejects(readAll(open, { signal: AbortSignal.abort(new Error('stop')) }), /stop/);
    assert.equal(open.watch.readBytes, 0);
  });

  it('ends soon after the signal fires', async () => {
    const controller = new AbortController();
    const open = objectOf('a.jsonl', '{"text":"x"}\n'.repeat(10_000), 1000);
    const reading = (async () => {
      for await (const outcome of readParts(open, {
        ...options,
        partBytes: 2000,
        signal: controller.signal,
      })) {
        assert.equal(outcome.kind, 'part');
        controller.abort(new Error('stop'));
      }
    })();
    await assert.rejects(reading, /stop/);
    assert.equal(open.watch.ended, 1);
    assert.ok(open.watch.readBytes < 20_000);
  });
});

function textOf(outcomes: readonly PartOutcome[]): string {
  return outcomes
    .map((outcome) => (outcome.kind === 'part' ? Buffer.from(outcome.part.bytes).toString() : ''))
    .join('');
}

function flipped(bytes: Buffer, position: number): Buffer {
  const index = position < 0 ? bytes.length + position : position;
  bytes.writeUInt8((bytes[index] ?? 0) ^ 0xff, index);
  return bytes;
}
