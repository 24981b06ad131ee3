import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Spool } from '#embatch/core/spool.js';

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

for (const count of [0, 1, 9_999, 10_000, 25_001]) {
  test(`${count} items come back as they went in, twice if need be`, async () => {
    const spool = new Spool<{ n: number; text: string }>();
    const items = Array.from({ length: count }, (_, n) => ({ n, text: `a\u2028b\n${n}` }));
    for (const item of items) await spool.add(item);
    assert.equal(spool.count, count);
    assert.deepEqual(await all(spool.read()), items);
    assert.deepEqual(await all(spool.read()), items);
    await spool.close();
  });
}
