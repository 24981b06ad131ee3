import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import { chunkId, objectUri } from '#embatch/core/ids.js';
import type { RecordKey, RowFacts, SourceObject } from '#embatch/core/interfaces.js';
import { compareAll } from '#embatch/job/verify/compare.js';
import { sortedRows, type RowCounts } from '#embatch/job/verify/index-rows.js';
import type { Verdict } from '#embatch/job/verify/judge-object.js';
import type { LedgerEntry } from '#embatch/ledger/objects/entry.js';

const SOURCE = 's3://bucket';
const SPACE = 'aaaaaaaaaaaaaaaa';
const TEXT = 'bbbbbbbbbbbbbbbb';

async function* from<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items;
}

const listed = (key: string, version = 'v1', more: Partial<SourceObject> = {}): SourceObject => ({
  key,
  version,
  size: 10,
  lastModified: '2026-01-01T00:00:00.000Z',
  ...more,
});

const entry = (key: string, more: Partial<LedgerEntry> = {}): LedgerEntry => ({
  key,
  version: 'v1',
  status: 'done',
  chunks: 2,
  text: TEXT,
  ...more,
});

interface Rows {
  readonly record?: Exclude<RecordKey, null>;
  readonly chunks?: number;
  readonly only?: readonly number[];
  readonly version?: string;
  readonly fingerprint?: string;
  readonly source?: string;
}

/** The rows of one document. */
function rows(key: string, options: Rows = {}): RowFacts[] {
  const { record, chunks = 2, version = 'v1', fingerprint = `${SPACE}-${TEXT}`, source = SOURCE } = options;
  const { only = [...Array(chunks).keys()] } = options;
  const uri = objectUri(source, key);
  return only.map((chunk) => ({
    id: chunkId(uri, record ?? null, chunk),
    source: uri,
    record: typeof record === 'object' ? record.id : record,
    chunk,
    chunks,
    version,
    fingerprint,
  }));
}

interface World {
  readonly listing?: readonly SourceObject[];
  readonly entries?: readonly LedgerEntry[];
  readonly facts?: readonly RowFacts[];
}

async function verdicts({ listing = [], entries = [], facts = [] }: World): Promise<Verdict[]> {
  const counts: RowCounts = { own: 0, others: 0 };
  const found: Verdict[] = [];
  const sorted = sortedRows(from(facts), { sourceId: SOURCE, isMine: () => true, counts });
  const compared = compareAll({ listing: from(listing), entries: from(entries), rows: sorted, space: SPACE });
  for await (const verdict of compared) found.push(verdict);
  return found;
}

/** `key: state` or `key: finding, finding`. */
const inWords = (found: readonly Verdict[]): string[] =>
  found.map(({ key, state, findings }) =>
    state === 'differs' ? `${key}: ${findings.map(({ finding }) => finding).join(', ')}` : `${key}: ${state}`,
  );

const otherText = { fingerprint: `${SPACE}-cccccccccccccccc` };
const otherSpace = { fingerprint: `dddddddddddddddd-${TEXT}` };

for (const [what, world, expected] of [
  ['nothing at all', {}, []],
  [
    'source, ledger and index agree',
    { listing: [listed('a')], entries: [entry('a')], facts: rows('a') },
    ['a: verified'],
  ],
  [
    'rows in another order',
    { listing: [listed('a')], entries: [entry('a')], facts: rows('a').reverse() },
    ['a: verified'],
  ],
  ['nothing knows a listed object', { listing: [listed('a')] }, ['a: missing']],
  [
    'the ledger believes in rows that are gone',
    { listing: [listed('a')], entries: [entry('a')] },
    ['a: missing'],
  ],
  [
    'a run died before the first row',
    { listing: [listed('a')], entries: [entry('a', { status: 'open' })] },
    ['a: missing'],
  ],
  [
    'it was skipped and failed in another version',
    {
      listing: [listed('a', 'v2'), listed('b', 'v2')],
      entries: [entry('a', { status: 'skipped', chunks: 0 }), entry('b', { status: 'failed', chunks: 0 })],
    },
    ['a: missing', 'b: missing'],
  ],
  [
    'a run died between two rows',
    { listing: [listed('a')], entries: [entry('a', { status: 'open' })], facts: rows('a') },
    ['a: incomplete'],
  ],
  [
    'a row is lacking',
    { listing: [listed('a')], entries: [entry('a')], facts: rows('a', { only: [0] }) },
    ['a: incomplete'],
  ],
  [
    'a row is lacking and the ledger has counted it out',
    { listing: [listed('a')], entries: [entry('a', { chunks: 1 })], facts: rows('a', { only: [1] }) },
    ['a: incomplete'],
  ],
  [
    'a whole record is lacking',
    { listing: [listed('a')], entries: [entry('a', { chunks: 4 })], facts: rows('a', { record: 0 }) },
    ['a: incomplete'],
  ],
  [
    'records of one object by position and by id',
    {
      listing: [listed('a'), listed('b')],
      entries: [entry('a', { chunks: 4 }), entry('b', { chunks: 4 })],
      facts: [
        ...rows('b', { record: { id: 'y' } }),
        ...rows('a', { record: 700 }),
        ...rows('b', { record: { id: 'x' } }),
        ...rows('a', { record: 9 }),
      ],
    },
    ['a: verified', 'b: verified'],
  ],
  [
    'one record has a row too few, and another one too many',
    {
      listing: [listed('a')],
      entries: [entry('a', { chunks: 4 })],
      facts: [...rows('a', { record: 0, only: [0] }), ...rows('a', { record: 5, chunks: 3 })],
    },
    ['a: incomplete'],
  ],
  [
    'the source changed and no run has seen it',
    { listing: [listed('a', 'v2')], entries: [entry('a')], facts: rows('a') },
    ['a: stale'],
  ],
  [
    'the index has the listed version, and the ledger another',
    { listing: [listed('a', 'v2')], entries: [entry('a')], facts: rows('a', { version: 'v2' }) },
    ['a: stale'],
  ],
  [
    'the ledger has the listed version, and the index another',
    { listing: [listed('a', 'v2')], entries: [entry('a', { version: 'v2' })], facts: rows('a') },
    ['a: stale'],
  ],
  [
    'a former version left a row over',
    {
      listing: [listed('a', 'v2')],
      entries: [entry('a', { version: 'v2', chunks: 1 })],
      facts: [...rows('a', { version: 'v2', chunks: 1 }), ...rows('a', { only: [1] })],
    },
    ['a: stale'],
  ],
  [
    'a former version left a row over, and one of the new is lacking',
    {
      listing: [listed('a', 'v2')],
      entries: [entry('a', { version: 'v2', chunks: 2 })],
      facts: [...rows('a', { version: 'v2', only: [0] }), ...rows('a', { only: [1] })],
    },
    ['a: stale, incomplete'],
  ],
  ['an object left the source', { entries: [entry('a')], facts: rows('a') }, ['a: orphan']],
  ['rows that nothing knows', { facts: rows('a') }, ['a: orphan']],
  ['the ledger has kept what is nowhere', { entries: [entry('a')] }, ['a: orphan']],
  [
    'what was never in the index left the source',
    {
      entries: [
        entry('a', { status: 'open' }),
        entry('b', { status: 'failed', chunks: 0 }),
        entry('c', { status: 'skipped', chunks: 0 }),
      ],
    },
    ['a: gone', 'b: gone', 'c: gone'],
  ],
  [
    'what had failed left the source, and its rows stay',
    { entries: [entry('a', { status: 'failed', chunks: 1 })], facts: rows('a', { only: [0] }) },
    ['a: orphan'],
  ],
  [
    'more records than the ledger has',
    {
      listing: [listed('a')],
      entries: [entry('a')],
      facts: [...rows('a', { record: 0 }), ...rows('a', { record: 5 })],
    },
    ['a: orphan'],
  ],
  [
    'one id twice',
    { listing: [listed('a')], entries: [entry('a')], facts: [...rows('a'), ...rows('a', { only: [1] })] },
    ['a: duplicate'],
  ],
  [
    'one id twice instead of two ids',
    {
      listing: [listed('a')],
      entries: [entry('a')],
      facts: [...rows('a', { only: [1] }), ...rows('a', { only: [1] })],
    },
    ['a: duplicate, incomplete'],
  ],
  [
    'one id twice, in two versions',
    {
      listing: [listed('a')],
      entries: [entry('a')],
      facts: [...rows('a'), ...rows('a', { only: [1], version: 'v0' })],
    },
    ['a: duplicate, stale'],
  ],
  [
    'cut in another way than the ledger says',
    { listing: [listed('a')], entries: [entry('a')], facts: rows('a', otherText) },
    ['a: fingerprint'],
  ],
  [
    'some rows cut in another way than the ledger says',
    {
      listing: [listed('a')],
      entries: [entry('a')],
      facts: [...rows('a'), ...rows('a', { chunks: 3, only: [2], ...otherText })],
    },
    ['a: fingerprint'],
  ],
  [
    'embedded by another model than the index says',
    {
      listing: [listed('a'), listed('b')],
      entries: [entry('a')],
      facts: [...rows('a', otherSpace), ...rows('b', otherSpace)],
    },
    ['a: fingerprint', 'b: fingerprint'],
  ],
  [
    'two ways to cut, and no ledger',
    { listing: [listed('a')], facts: [...rows('a'), ...rows('a', { chunks: 3, only: [2], ...otherText })] },
    ['a: fingerprint'],
  ],
  ['whole, and the ledger lost it', { listing: [listed('a')], facts: rows('a') }, ['a: unrecorded']],
  [
    'whole in its own way to cut, and the ledger lost it',
    { listing: [listed('a')], facts: rows('a', otherText) },
    ['a: unrecorded'],
  ],
  [
    'lacking its last row, and the ledger lost it',
    { listing: [listed('a')], facts: rows('a', { only: [0] }) },
    ['a: incomplete'],
  ],
  [
    'of another version, and the ledger lost it',
    { listing: [listed('a', 'v2')], facts: rows('a') },
    ['a: stale'],
  ],
  [
    'records, and the ledger lost them',
    { listing: [listed('a')], facts: rows('a', { record: 0 }) },
    ['a: unproven'],
  ],
  [
    'failed and skipped in the listed version',
    {
      listing: [listed('a'), listed('b')],
      entries: [entry('a', { status: 'failed', chunks: 0 }), entry('b', { status: 'skipped', chunks: 0 })],
    },
    ['a: failed', 'b: skipped'],
  ],
  [
    'wholly failed, with what its former version had',
    {
      listing: [listed('a', 'v2')],
      entries: [entry('a', { version: 'v2', status: 'failed', chunks: 0 })],
      facts: rows('a'),
    },
    ['a: failed'],
  ],
  [
    'failed in part, and of the rest a row is lacking',
    {
      listing: [listed('a'), listed('b')],
      entries: [entry('a', { status: 'failed' }), entry('b', { status: 'failed' })],
      facts: [...rows('a', { record: 0 }), ...rows('b', { record: 0, only: [0] })],
    },
    ['a: failed', 'b: incomplete'],
  ],
  [
    'nothing that a run would open',
    { listing: [listed('a', 'v1', { size: 0 }), listed('b', 'v1', { skip: 'archived' }), listed('c.png')] },
    ['a: skipped', 'b: skipped', 'c.png: skipped'],
  ],
  [
    'archived since it was embedded',
    { listing: [listed('a', 'v1', { skip: 'archived' })], entries: [entry('a')], facts: rows('a') },
    ['a: skipped'],
  ],
  [
    'emptied since it was embedded',
    { listing: [listed('a', 'v2', { size: 0 })], entries: [entry('a')], facts: rows('a') },
    ['a: stale'],
  ],
  [
    'rows of another source, and of one whose id begins alike',
    {
      listing: [listed('a')],
      entries: [entry('a')],
      facts: [
        ...rows('x', { source: 's3://other' }),
        ...rows('y', { source: 's3://bucket-2' }),
        ...rows('a'),
      ],
    },
    ['a: verified'],
  ],
  [
    'keys beyond the surrogates, in the order of bytes',
    {
      listing: [listed('a/Ａ'), listed('a/😀')],
      entries: [entry('a/Ａ'), entry('a/😀')],
      facts: [...rows('a/😀'), ...rows('a/Ａ')],
    },
    ['a/Ａ: verified', 'a/😀: verified'],
  ],
  [
    'several objects, each with something else',
    {
      listing: [listed('b'), listed('c'), listed('e')],
      entries: [entry('a'), entry('b'), entry('e')],
      facts: [...rows('d'), ...rows('e', { only: [1] }), ...rows('b')],
    },
    ['a: orphan', 'b: verified', 'c: missing', 'd: orphan', 'e: incomplete'],
  ],
] satisfies readonly (readonly [string, World, readonly string[]])[]) {
  test(`verify finds: ${what}`, async () => {
    assert.deepEqual(inWords(await verdicts(world)), expected);
  });
}

test('details say how much, and what was expected', async () => {
  const [lacking, stale] = await verdicts({
    listing: [listed('a'), listed('b', 'v2')],
    entries: [entry('a'), entry('b')],
    facts: [...rows('a', { only: [0] }), ...rows('b')],
  });
  assert.equal(lacking?.findings[0]?.detail, '1 of the 2 rows that the ledger has');
  assert.equal(stale?.findings[0]?.detail, '2 rows of another version than v2');
});

test('rows of other sources and shards are counted, and no more', async () => {
  const counts: RowCounts = { own: 0, others: 0 };
  const facts = [...rows('a'), ...rows('b'), ...rows('x', { source: 's3://other' })];
  const options = { sourceId: SOURCE, isMine: (key: string) => key === 'a', counts };
  for await (const row of sortedRows(from(facts), options)) assert.equal(row.key, 'a');
  assert.deepEqual(counts, { own: 2, others: 4 });
});

test('a listing that is not in the order of bytes proves nothing', async () => {
  await assert.rejects(verdicts({ listing: [listed('b'), listed('a')] }), (error: unknown) =>
    isEmbatchError(error, 'SOURCE'),
  );
});
