import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ObjectProgress, type ObjectOutcome } from '#embatch/job/object-progress.js';
import { newTally } from '#embatch/job/tally.js';

const object = { key: 'a.jsonl', size: 10, version: 'v', lastModified: '2026-01-01T00:00:00.000Z' };

function started() {
  const tally = newTally();
  const outcomes: ObjectOutcome[] = [];
  const progress = new ObjectProgress(object, 1, tally, (outcome) => outcomes.push(outcome));
  return { tally, progress, outcomes };
}

test('an object counts only when it was read to its end and every part and row was answered', () => {
  const { tally, progress } = started();
  progress.expectAnswer();
  progress.answered();
  progress.expectAnswer();
  progress.answered();
  progress.embedded();
  assert.equal(tally.objects.embedded, 0);
  progress.answered();
  assert.equal(tally.objects.embedded, 1);
});

test('an object is told of once, with the version that was read and the rows that were acknowledged', () => {
  const { progress, outcomes } = started();
  progress.opened('newer');
  progress.embedded();
  progress.expectAnswer();
  progress.expectAnswer();
  progress.answered();
  progress.written(null, 0, true);
  progress.answered();
  assert.deepEqual(outcomes, []);
  progress.written(null, 1, true);
  progress.answered();
  assert.deepEqual(outcomes, [{ key: 'a.jsonl', version: 'newer', chunks: 2, status: 'done' }]);
});

test('an object that goes away while it is read is not done, whatever of it was embedded', () => {
  const { tally, progress, outcomes } = started();
  progress.embedded();
  progress.gone();
  progress.answered();
  assert.equal(outcomes[0]?.status, 'gone');
  assert.deepEqual([tally.objects.skipped, tally.objects.embedded], [1, 0]);
});

test('one failed document makes the object a failed one, whatever else succeeded', () => {
  const { tally, progress, outcomes } = started();
  progress.embedded();
  progress.failed('a reason');
  progress.failed('another');
  progress.skipped('empty');
  progress.answered();
  assert.deepEqual([tally.objects.failed, tally.objects.embedded, tally.objects.skipped], [1, 0, 0]);
  assert.deepEqual(outcomes, [
    { key: 'a.jsonl', version: 'v', chunks: 0, status: 'failed', reason: 'a reason', letters: 2 },
  ]);
});

test('an object of nothing but empty records is skipped, with the first reason', () => {
  const { tally, progress } = started();
  progress.skipped('empty');
  progress.skipped('other');
  progress.answered();
  assert.equal(tally.objects.skipped, 1);
  assert.deepEqual([...tally.skipped], [['empty', 1]]);
});

test('a record id is new once; offsets and whole objects always are', () => {
  const { progress } = started();
  assert.ok(progress.isNew({ id: '7' }));
  assert.ok(!progress.isNew({ id: '7' }));
  assert.ok(progress.isNew(7) && progress.isNew(7) && progress.isNew(null));
});

test('rows that stay count with those that are written, each once', () => {
  const isStored = (_: unknown, chunk: number): boolean => chunk === 0;
  const replay = { records: ['7'], chunks: 5, attempts: () => 1, isStored };
  const cases: [written: [chunk: number, ok: boolean][], chunks: number][] = [
    [[[1, true]], 6],
    [
      [
        [0, true],
        [1, true],
      ],
      6,
    ],
    [[[0, false]], 4],
    [[[1, false]], 5],
    [[], 5],
  ];
  for (const [written, chunks] of cases) {
    const outcomes: ObjectOutcome[] = [];
    const progress = new ObjectProgress(object, 1, newTally(), (outcome) => outcomes.push(outcome), replay);
    for (const [chunk, ok] of written) progress.written(7, chunk, ok);
    progress.answered();
    assert.deepEqual([outcomes[0]?.chunks, outcomes[0]?.status], [chunks, 'done']);
  }
});

test('another version than the one that failed is embedded as a whole', () => {
  const replay = { records: ['7'], chunks: 5, attempts: () => 1, isStored: () => false };
  const progress = new ObjectProgress(object, 1, newTally(), () => undefined, replay);
  progress.opened('v');
  assert.deepEqual(progress.replay.records, ['7']);
  progress.opened('newer');
  assert.deepEqual([progress.replay.records, progress.replay.chunks], [undefined, 0]);
});
