import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { IdHashes, hash53 } from '#embatch/core/id-hashes.js';

describe('hashes of ids', () => {
  it('are whole numbers of 53 bits, alike for alike texts only, and others with another seed', () => {
    const texts = [
      '',
      'a',
      'b',
      'ab',
      'ba',
      'é',
      '🙂',
      ...Array.from({ length: 20_000 }, (_, n) => `id-${n}`),
    ];
    const hashes = texts.map((text) => hash53(text));
    assert.ok(hashes.every((hash) => Number.isSafeInteger(hash) && hash >= 0));
    assert.equal(new Set(hashes).size, texts.length);
    assert.ok(Math.max(...hashes) > 2 ** 52 && Math.min(...hashes) < 2 ** 43, 'spread over the whole range');
    assert.deepEqual(
      hashes,
      texts.map((text) => hash53(text)),
    );
    assert.ok(texts.every((text, n) => hash53(text, 1) !== hashes[n]));
  });

  const cases: readonly (readonly [string, string[], string[]])[] = [
    ['none', [], []],
    ['one', ['a'], []],
    ['all different', ['a', 'b', 'c'], []],
    ['some twice', ['a', 'b', 'a', 'c', 'c'], ['a', 'c']],
    ['one many times', ['a', 'a', 'b', 'a', 'a'], ['a']],
    ['all the same', ['a', 'a', 'a'], ['a']],
  ];
  for (const [name, ids, expected] of cases) {
    it(`finds what is there more than once: ${name}`, () => {
      const hashes = new IdHashes();
      for (const id of ids) hashes.add(id);
      assert.deepEqual(
        [...hashes.repeated()],
        expected.map((id) => hash53(id)).sort((a, b) => a - b),
      );
    });
  }

  it('finds it among more than there was room for at first', () => {
    const hashes = new IdHashes();
    for (let n = 0; n < 10_000; n++) hashes.add(`id-${n}`);
    for (let n = 0; n < 10_000; n += 1000) hashes.add(`id-${n}`);
    const expected = Array.from({ length: 10 }, (_, n) => hash53(`id-${n * 1000}`));
    assert.deepEqual(
      [...hashes.repeated()],
      expected.sort((a, b) => a - b),
    );
  });
});
