import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decode } from '#embatch/document/encoding.js';

describe('decoding', () => {
  const cases: [name: string, bytes: Buffer, label: string, text: string, invalidBytes: number][] = [
    ['drops a byte-order mark', Buffer.from('\ufeffabc'), 'utf-8', 'abc', 0],
    ['drops it in UTF-16 too', Buffer.from('\ufeffabc', 'utf16le'), 'utf-16le', 'abc', 0],
    ['keeps line ends and control characters', Buffer.from('a\r\nb\0\u0001'), 'utf-8', 'a\r\nb\0\u0001', 0],
    ['replaces and counts', Buffer.from([0x61, 0xff, 0x62, 0x80]), 'utf-8', 'a\ufffdb\ufffd', 2],
    ['does not count what was written as such', Buffer.from('\ufffd\ufffd'), 'utf-8', '\ufffd\ufffd', 0],
    [
      'tells the one from the other',
      Buffer.concat([Buffer.from('\ufffd'), Buffer.of(0xff)]),
      'utf-8',
      '\ufffd\ufffd',
      1,
    ],
    ['counts halves of surrogate pairs', Buffer.from('a\ud800b', 'utf16le'), 'utf-16le', 'a\ufffdb', 1],
    [
      'reads quotation marks of Windows',
      Buffer.of(0x93, 0x80, 0x94, 0x81, 0xe9, 0x9f),
      'windows-1252',
      '“€”\x81éŸ',
      0,
    ],
    ['reads Korean', Buffer.of(0xc7, 0xd1), 'euc-kr', '한', 0],
  ];
  for (const [name, bytes, label, text, invalidBytes] of cases) {
    it(name, () => assert.deepEqual(decode(bytes, label), { text, invalidBytes }));
  }
});
