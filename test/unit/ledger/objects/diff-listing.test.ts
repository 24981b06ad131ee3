import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SourceObject } from '#embatch/core/interfaces.js';
import { diffListing } from '#embatch/ledger/objects/diff-listing.js';
import type { LedgerEntry } from '#embatch/ledger/objects/entry.js';

async function* from<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items;
}

const listed = (pairs: readonly (readonly [string, string])[]): AsyncIterable<SourceObject> =>
  from(pairs.map(([key, version]) => ({ key, version, size: 1, lastModified: '2026-01-01T00:00:00.000Z' })));

const known = (pairs: readonly (readonly [string, string])[]): AsyncIterable<LedgerEntry> =>
  from(pairs.map(([key, version]) => ({ key, version, status: 'done' as const, chunks: 1, text: 'aaaa' })));

async function diff(
  listing: readonly (readonly [string, string])[],
  entries: readonly (readonly [string, string])[],
): Promise<string[]> {
  const changes: string[] = [];
  for await (const change of diffListing(listed(listing), known(entries))) {
    changes.push(`${change.kind} ${change.kind === 'gone' ? change.entry.key : change.object.key}`);
  }
  return changes;
}

for (const [what, listing, entries, expected] of [
  ['nothing and nothing', [], [], []],
  [
    'a first run',
    [
      ['a', '1'],
      ['b', '1'],
    ],
    [],
    ['new a', 'new b'],
  ],
  [
    'an empty listing',
    [],
    [
      ['a', '1'],
      ['b', '1'],
    ],
    ['gone a', 'gone b'],
  ],
  [
    'one of each',
    [
      ['b', '1'],
      ['c', '2'],
      ['d', '1'],
      ['f', '1'],
    ],
    [
      ['a', '1'],
      ['b', '1'],
      ['c', '1'],
      ['e', '1'],
      ['g', '1'],
    ],
    ['gone a', 'unchanged b', 'changed c', 'new d', 'gone e', 'new f', 'gone g'],
  ],
  [
    'keys beyond U+FFFF',
    [
      ['\uFF21', '1'],
      ['😀', '1'],
    ],
    [
      ['\uFF21', '1'],
      ['😀', '2'],
    ],
    ['unchanged \uFF21', 'changed 😀'],
  ],
] as readonly (readonly [string, [string, string][], [string, string][], string[]])[]) {
  test(`listing against ledger: ${what}`, async () => {
    assert.deepEqual(await diff(listing, entries), expected);
  });
}

test('an object whose entry is open counts as changed, whatever its version', async () => {
  const open = from([{ key: 'a', version: '1', status: 'open' as const, chunks: 1, text: 'aaaa' }]);
  for await (const change of diffListing(listed([['a', '1']]), open)) assert.equal(change.kind, 'changed');
});

for (const order of [
  ['b', 'a'],
  ['a', 'a'],
  ['😀', '\uFF21'],
]) {
  test(`a listing that gives ${order.join(' before ')} is refused, since nothing can be concluded from it`, async () => {
    await assert.rejects(
      diff(
        order.map((key) => [key, '1'] as const),
        [],
      ),
      { code: 'SOURCE', message: /not in the order of UTF-8 bytes/ },
    );
  });
}
