import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { partNames, partsOf } from '#embatch/sinks/jsonl/parts.js';
import { recordingLog } from '../../../conformance/sink-rows.js';

describe('files of JSONL', () => {
  it('files are read in the order of their runs, whatever their shard', () => {
    const context = { log: recordingLog(), run: '20261121t1-b', shard: { index: 10, count: 12 } };
    const given = partNames(context, []);
    const ofRun = [given.next(), given.next(), given.next()];
    assert.deepEqual(ofRun.slice(0, 2), [
      'part-10-of-12-20261121t1-b.jsonl',
      'part-10-of-12-20261121t1-b-000001.jsonl',
    ]);
    const older = 'part-9-of-12-20261120t9-z.jsonl';
    const names = ['recipe.json', 'theirs.jsonl', ...ofRun.toReversed(), '.tmp-x', older];
    assert.deepEqual(
      partsOf(names).map(({ name }) => name),
      [older, ...ofRun],
    );
  });

  it('more than a million files of a run are in their order', () => {
    const names = [0, 999_999, 1_000_000, 1_000_001].map(
      (n) => `part-0-of-1-r-${String(n).padStart(6, '0')}.jsonl`,
    );
    assert.deepEqual(
      partsOf(names.toReversed()).map(({ name }) => name),
      names,
    );
  });

  const shard = { index: 1, count: 4 };
  const cases: readonly (readonly [string, string[], string])[] = [
    ['nothing is there', [], 'part-1-of-4-r5.jsonl'],
    ['older runs are there', ['part-1-of-4-r4.jsonl', 'part-0-of-2-r4-000003.jsonl'], 'part-1-of-4-r5.jsonl'],
    [
      'files of the same run are there',
      ['part-1-of-4-r5.jsonl', 'part-1-of-4-r5-000006.jsonl'],
      'part-1-of-4-r5-000007.jsonl',
    ],
    [
      'other shards of the same number are ahead',
      ['part-0-of-4-r6.jsonl', 'part-1-of-4-r4.jsonl'],
      'part-1-of-4-r5.jsonl',
    ],
    [
      'the clock of an earlier run was ahead',
      ['part-1-of-4-r6-000002.jsonl'],
      'part-1-of-4-r6~000001-r5.jsonl',
    ],
    [
      'so was that of a run with another number of shards',
      ['part-0-of-3-r6.jsonl'],
      'part-1-of-4-r6~000001-r5.jsonl',
    ],
    [
      'a run has gone on behind one whose clock was ahead',
      ['part-1-of-4-r6~000001-r4.jsonl'],
      'part-1-of-4-r6~000002-r5.jsonl',
    ],
  ];
  for (const [when, names, expected] of cases) {
    it(`where ${when}, the next file is ${expected} and stands behind them`, () => {
      const given = partNames({ log: recordingLog(), run: 'r5', shard }, partsOf(names));
      assert.equal(given.last, undefined);
      assert.equal(given.next(), expected);
      assert.equal(given.last, expected);
      const mine = names.filter((name) => !name.startsWith('part-0-of-4'));
      const further = given.next();
      assert.deepEqual(
        partsOf([...mine, further, expected])
          .slice(-2)
          .map(({ name }) => name),
        [expected, further],
      );
    });
  }
});
