import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { compareUtf8 } from '#embatch/core/bytes-order.js';
import { isEmbatchError } from '#embatch/core/errors.js';
import { sortExternally, type SortOptions } from '#embatch/core/external-sort.js';
import { tempFolder } from '../../support/temp-folder.js';

/** mulberry32: the same numbers in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Below and above the surrogates, of one to four bytes, and what a file of lines might trip over. */
const alphabet = [
  'a',
  'B',
  '\n',
  '\r',
  '"',
  '\u0000',
  'é',
  'ÿ',
  '中',
  '\ud7ff',
  '\ue000',
  'Ａ',
  '\uffff',
  '😀',
  '𐀀',
  '\u2028',
];

function keys(count: number, next: () => number): string[] {
  return Array.from({ length: count }, () =>
    Array.from(
      { length: Math.floor(next() * 12) },
      () => alphabet[Math.floor(next() * alphabet.length)],
    ).join(''),
  );
}

async function* from<Item>(items: Iterable<Item>): AsyncGenerator<Item> {
  yield* items;
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const asJson: SortOptions<string> = {
  compare: compareUtf8,
  format: (item) => JSON.stringify(item),
  parse: (line) => JSON.parse(line) as string,
};

/** Temporary files go into a folder that the test can look into. */
async function ownTemporaryFolder(t: TestContext): Promise<string> {
  const folder = join(await tempFolder(t), 'tmp');
  await mkdir(folder);
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = folder;
  t.after(() => {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  });
  return folder;
}

for (const [count, maxItems, maxRuns] of [
  [0, 10, 2],
  [1, 10, 2],
  [9, 10, 2],
  [10, 10, 2],
  [11, 10, 2],
  [500, 7, 2],
  [500, 7, 3],
  [2000, 10, 256],
  [5000, 1, 16],
] as const) {
  test(`${count} keys in runs of ${maxItems}, ${maxRuns} merged at once, come as Buffer.compare orders them`, async () => {
    const input = keys(count, random(count + maxRuns));
    const sorted = await all(sortExternally(from(input), { ...asJson, maxItems, maxRuns }));
    const expected = input.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    assert.deepEqual(sorted, expected);
  });
}

test('a line that is longer than any buffer comes back whole', async () => {
  const input = ['b'.repeat(300_000), 'a'.repeat(700_000), 'c'];
  const sorted = await all(sortExternally(from(input), { ...asJson, maxItems: 1 }));
  assert.deepEqual(sorted, [...input].sort(compareUtf8));
});

test('the temporary file has no name while it is used, and none after', async (t) => {
  const folder = await ownTemporaryFolder(t);
  let seen = 0;
  for await (const key of sortExternally(from(keys(100, random(1))), { ...asJson, maxItems: 10 })) {
    assert.equal(typeof key, 'string');
    assert.deepEqual(await readdir(folder), []);
    seen += 1;
    if (seen === 50) break;
  }
  assert.deepEqual(await readdir(folder), []);
});

test('a stop ends the sort with its reason', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const items = async function* (): AsyncGenerator<string> {
    for (let n = 0; ; n++) {
      if (n === 25) controller.abort(reason);
      yield String(n);
    }
  };
  await assert.rejects(
    all(sortExternally(items(), { ...asJson, maxItems: 10, signal: controller.signal })),
    reason,
  );
});

test('a folder for temporary files that is not there is an error that names it', async (t) => {
  const folder = await ownTemporaryFolder(t);
  const missing = join(folder, 'missing');
  process.env['TMPDIR'] = missing;
  await assert.rejects(
    all(sortExternally(from(['b', 'a']), { ...asJson, maxItems: 1 })),
    (error: unknown) => isEmbatchError(error, 'STATE') && error.message.includes(missing),
  );
});
