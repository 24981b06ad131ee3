import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { Spool } from '#embatch/core/spool.js';

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const folders = async (): Promise<string[]> =>
  (await readdir(tmpdir())).filter((name) => name.startsWith('embatch-'));

for (const count of [0, 1, 9_999, 10_000, 25_001]) {
  test(`${count} items come back as they went in, twice if need be, and leave nothing behind`, async () => {
    const before = new Set(await folders());
    const spool = new Spool<{ n: number; text: string }>();
    const items = Array.from({ length: count }, (_, n) => ({ n, text: `a\u2028b\n${n}` }));
    for (const item of items) await spool.add(item);
    assert.equal(spool.count, count);
    assert.deepEqual(await all(spool.read()), items);
    assert.deepEqual(await all(spool.read()), items);
    const during = (await folders()).filter((name) => !before.has(name));
    await spool.close();
    const after = await folders();
    assert.deepEqual(
      during.filter((name) => after.includes(name)),
      [],
    );
  });
}
