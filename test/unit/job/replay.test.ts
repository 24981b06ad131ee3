import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planReplay } from '#embatch/job/replay.js';
import type { StoredDeadLetter } from '#embatch/ledger/dead-letters.js';
import type { LedgerEntry } from '#embatch/ledger/objects/entry.js';
import { letterOf } from './letters.js';

const now = { version: 'v1', text: 't1' };
const entry: LedgerEntry = { key: 'a', version: 'v1', status: 'failed', chunks: 40, text: 't1', letters: 2 };
const letters = [letterOf('a', { record: 7, attempts: 2 }), letterOf('a', { record: { id: 'x' } })];

describe('only the records that failed are replayed', () => {
  it('where the letters name all of them', () => {
    const replay = planReplay(now, entry, letters);
    assert.deepEqual(replay.records, ['7', '{"id":"x"}']);
    assert.equal(replay.chunks, 40);
    assert.deepEqual(
      [7, { id: 'x' }, 8].map((record) => replay.attempts(record)),
      [2, 1, 0],
    );
    assert.equal(replay.isStored(7, 0), false);
  });

  it('with letters of other versions beside them', () => {
    const replay = planReplay(now, entry, [...letters, letterOf('a', { version: 'v0', record: 9 })]);
    assert.deepEqual(replay.records, ['7', '{"id":"x"}']);
  });

  it('and rows that the sink took are known: those that it did not refuse of records that it refused some of', () => {
    const refused = [2, 5].map((chunk) => letterOf('a', { record: 7, stage: 'write', chunk }));
    const embed = letterOf('a', { record: 8, stage: 'embed', chunk: 3 });
    const replay = planReplay(now, { ...entry, letters: 3 }, [...refused, embed]);
    assert.deepEqual(replay.records, ['7', '8']);
    assert.deepEqual(
      [0, 1, 2, 5].map((chunk) => replay.isStored(7, chunk)),
      [true, true, false, false],
    );
    assert.deepEqual(
      [0, 3].map((chunk) => replay.isStored(8, chunk)),
      [false, false],
    );
  });
});

describe('all of an object is replayed', () => {
  const cases: [
    name: string,
    now: typeof now,
    entry: LedgerEntry,
    letters: readonly StoredDeadLetter[] | undefined,
  ][] = [
    ['at another version', { ...now, version: 'v2' }, entry, letters],
    ['when it is cut in another way', { ...now, text: 't2' }, entry, letters],
    ['when its run did not end', now, { ...entry, status: 'open' }, letters],
    ['without letters', now, entry, []],
    ['when the letters cannot be relied on', now, entry, undefined],
    ['when a letter is missing', now, { ...entry, letters: 3 }, letters],
    ['when the ledger does not say how many there are', now, withoutLetters(entry), letters],
    [
      'when the letters are of several runs',
      now,
      entry,
      letters.map((letter, n) => ({ ...letter, run: `run-${n}` })),
    ],
    ['when all of it failed', now, entry, letters.map((letter) => ({ ...letter, record: null }))],
    [
      'when an id stands twice: the letter does not say which record is meant',
      now,
      entry,
      letters.map((letter) => ({ ...letter, stage: 'parse' as const })),
    ],
    [
      'when too many records failed',
      now,
      { ...entry, letters: 10_001 },
      Array.from({ length: 10_001 }, (_, n) => letterOf('a', { record: n })),
    ],
  ];
  for (const [name, ...parameters] of cases) {
    it(name, () => {
      const replay = planReplay(...parameters);
      assert.deepEqual([replay.records, replay.chunks, replay.isStored(7, 0)], [undefined, 0, false]);
    });
  }

  it('with what was tried so far, at the same version', () => {
    assert.equal(planReplay({ ...now, text: 't2' }, entry, letters).attempts(7), 2);
    assert.equal(planReplay({ ...now, version: 'v2' }, entry, letters).attempts(7), 0);
  });
});

function withoutLetters({ letters: _, ...rest }: LedgerEntry): LedgerEntry {
  return rest;
}
