import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareUtf8 } from '#embatch/core/bytes-order.js';

const bytesOrder = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

for (const [smaller, larger] of [
  ['', 'a'],
  ['a', 'a.txt'],
  ['a-b', 'a.txt'],
  ['a.txt', 'a/b'],
  ['Z', 'a'],
  ['e\u0301', '\u00e9'],
  ['\ud7ff', '\ue000'],
  ['\uff21', '😀'],
  ['x\uffffz', 'x😀a'],
  ['😀', '😁'],
] as const) {
  test(`${JSON.stringify(smaller)} comes before ${JSON.stringify(larger)}`, () => {
    assert.ok(compareUtf8(smaller, larger) < 0);
    assert.ok(compareUtf8(larger, smaller) > 0);
    assert.equal(compareUtf8(larger, larger), 0);
  });
}

test('any two strings are ordered as their UTF-8 bytes are', () => {
  // A seeded generator: a failure can be repeated.
  let state = 20261121;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const alphabet = [
    'a',
    'b',
    '/',
    '.',
    '-',
    '\u007f',
    '\u0080',
    'é',
    '\u07ff',
    '\u0800',
    '\ud7ff',
    '\ue000',
    '\uffff',
    '𐀀',
    '😀',
  ];
  const text = (): string =>
    Array.from({ length: below(6) }, () => alphabet[below(alphabet.length)]).join('');
  for (let round = 0; round < 20_000; round++) {
    const [a, b] = [text(), text()];
    assert.equal(Math.sign(compareUtf8(a, b)), bytesOrder(a, b), JSON.stringify([a, b]));
  }
});
