/** When an object that is done by ranges counts as done, and what is removed then. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { objectHash, objectUri } from '#embatch/core/ids.js';
import type { StaleRows } from '#embatch/core/interfaces.js';
import { settleSplitObjects } from '#embatch/job/split-objects.js';
import type { LedgerEntry } from '#embatch/ledger/objects/entry.js';
import { recordingLogger } from '../../support/recording-logger.js';

const key = 'big.jsonl';

function range(index: number, count: number, more: Partial<LedgerEntry> = {}): LedgerEntry {
  const place = { index, count, start: index * 100, end: (index + 1) * 100 };
  return { key, version: 'v2', status: 'done', chunks: 5, text: 'text', range: place, ...more };
}

const whole = (more: Partial<LedgerEntry> = {}): LedgerEntry => ({
  ...{ key, version: 'v1', status: 'done', chunks: 9, text: 'text', split: true },
  ...more,
});

interface Settled {
  readonly committed: readonly LedgerEntry[];
  readonly removed: readonly StaleRows[];
}

async function settle(entries: readonly LedgerEntry[], removing = true): Promise<Settled> {
  const committed: LedgerEntry[] = [];
  const removed: StaleRows[] = [];
  await settleSplitObjects(
    {
      sink: {
        removeRows: (stale) => {
          removed.push(...stale);
          return Promise.resolve(1);
        },
      },
      ledger: {
        async *entriesOfAll() {
          yield* entries;
        },
        commit: (entry) => committed.push(entry),
      },
      sourceId: 's3://b',
      space: 'space',
      text: 'text',
      removing,
      log: recordingLogger(),
    },
    () => true,
  );
  return { committed, removed };
}

const summaryOf = ({ committed }: Settled): unknown[] =>
  committed.map(({ version, status, chunks, split, range: of }) => [
    version,
    status,
    chunks,
    split ?? of?.index,
  ]);

const removal: StaleRows = {
  object: objectHash(objectUri('s3://b', key)),
  keep: { version: 'v2', fingerprint: 'space-text' },
};

test('all ranges are done: the object is, and what other versions left goes', async () => {
  const settled = await settle([whole(), range(0, 3), range(1, 3), range(2, 3)]);
  assert.deepEqual(summaryOf(settled), [['v2', 'done', 15, true]]);
  assert.deepEqual(settled.removed, [removal]);
});

test('one that failed makes the object fail; what its other ranges have stays', async () => {
  const settled = await settle([range(0, 2), range(1, 2, { status: 'failed', chunks: 2, reason: 'why' })]);
  assert.deepEqual(summaryOf(settled), [['v2', 'failed', 7, true]]);
  assert.equal(settled.committed[0]?.reason, 'why');
});

test('where nothing could be done, what there was stays', async () => {
  const failed = { status: 'failed', chunks: 0 } as const;
  const settled = await settle([whole(), range(0, 2, failed), range(1, 2, failed)]);
  assert.deepEqual(settled.removed, []);
});

test('ranges of a former version, or of another size, do not count', async () => {
  const stale = range(3, 4, { version: 'v1' });
  const other = { ...range(1, 2), range: { index: 1, count: 2, start: 150, end: 300 } };
  const settled = await settle([range(0, 2), range(1, 2), other, stale]);
  assert.deepEqual(summaryOf(settled), [['v2', 'done', 10, true]]);
});

for (const [what, entries] of [
  ['the first is lacking', [range(1, 2)]],
  ['the last is lacking', [range(0, 2)]],
  ['one in the middle is lacking', [range(0, 3), range(2, 3)]],
  ['one is being written', [range(0, 2), range(1, 2, { status: 'open' })]],
  ['one is of another version', [range(0, 2), range(1, 2, { version: 'v1' })]],
  ['the first is of another version', [range(0, 2, { version: 'v1' }), range(1, 2)]],
  ['one is of another cut', [range(0, 2), range(1, 3)]],
  ['nothing is known of ranges', [whole()]],
] as const) {
  test(`${what}: nothing is settled and nothing is removed`, async () => {
    assert.deepEqual(await settle([...entries]), { committed: [], removed: [] });
  });
}

test('what is settled already is left alone', async () => {
  const known = whole({ version: 'v2', status: 'failed', chunks: 7 });
  const entries = [known, range(0, 2), range(1, 2, { status: 'failed', chunks: 2 })];
  assert.deepEqual(await settle(entries), { committed: [], removed: [] });
});

test('ranges that were cut with two sets of options: the older ones are done again, and no row goes', async () => {
  const settled = await settle([range(0, 2, { text: 'older' }), range(1, 2)]);
  assert.deepEqual(summaryOf(settled), [['v2', 'open', 5, 0]]);
  assert.deepEqual(settled.removed, []);
});

test('--no-delete settles and removes nothing', async () => {
  const settled = await settle([range(0, 2), range(1, 2)], false);
  assert.deepEqual([settled.committed.length, settled.removed.length], [1, 0]);
});
