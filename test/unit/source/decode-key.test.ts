import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable } from '#embatch/source/printable.js';
import { decodeKey } from '#embatch/source/s3-list.js';

for (const [encoded, key] of [
  ['a+b', 'a b'],
  ['a%2Bb', 'a+b'],
  ['a%20b', 'a b'],
  ['a%2520b', 'a%20b'],
  ['a%0Ab%01%0D', 'a\nb\u0001\r'],
  ['docs/%F0%9F%98%80/%C3%A9/e%CC%81', 'docs/😀/é/e\u0301'],
  ['..%2Fx/./%2F%2F', '../x/.///'],
  ['a%26%3Cb%3E', 'a&<b>'],
  ['caf%E9', undefined],
  ['100%', undefined],
] as const) {
  test(`${encoded} is the key ${JSON.stringify(key)}`, () => {
    assert.equal(decodeKey(encoded), key);
  });
}

test('control characters do not break a message into lines', () => {
  assert.equal(printable('a\nb\r\u001b[31m\u0085\u2028é😀'), 'a\\u000ab\\u000d\\u001b[31m\\u0085\\u2028é😀');
});
