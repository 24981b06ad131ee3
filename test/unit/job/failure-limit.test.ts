import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CountOrPercent } from '#embatch/core/option-kinds.js';
import { createFailureLimit } from '#embatch/job/failure-limit.js';
import type { Failure } from '#embatch/job/record-failure.js';

/** Tells of so many documents, the failed ones evenly among them and first. */
function judged(
  limit: CountOrPercent | undefined,
  failed: number,
  succeeded: number,
  stage: Failure['stage'],
) {
  const failures = createFailureLimit(limit, 's3://state/dead-letters/*.jsonl');
  const passed = { at: undefined as number | undefined };
  const look = (n: number): void => {
    try {
      failures.check();
    } catch {
      passed.at ??= n;
    }
  };
  for (let n = 0; n < failed + succeeded; n++) {
    if (n < failed) failures.failed({ stage, reason: `reason ${n}.` });
    else failures.succeeded();
    look(n + 1);
  }
  return { failures, passedAt: passed.at };
}

describe('a job is stopped', () => {
  const cases: [
    name: string,
    limit: CountOrPercent | undefined,
    failed: number,
    succeeded: number,
    passedAt: number | undefined,
    atEnd: boolean,
  ][] = [
    ['by the failure after the last that may be', 3, 5, 0, 4, true],
    ['not by as many as may be', 3, 3, 10, undefined, false],
    ['by the first where none may be', 0, 1, 0, 1, true],
    ['not without failures where none may be', 0, 0, 5, undefined, false],
    ['by a share once there are a hundred documents', '5%', 200, 0, 100, true],
    ['at the end by a share of few', '5%', 1, 9, undefined, true],
    ['not by exactly that share', '10%', 1, 9, undefined, false],
    ['not by a smaller share', '12.5%', 1, 9, undefined, false],
    ['not by all where all may fail', '100%', 3000, 0, undefined, false],
    ['by default when the first thousand all failed', undefined, 1500, 0, 1000, true],
    ['by default not by fewer', undefined, 999, 0, undefined, false],
  ];
  for (const [name, limit, failed, succeeded, passedAt, atEnd] of cases) {
    it(name, () => {
      const found = judged(limit, failed, succeeded, 'chunk');
      assert.equal(found.passedAt, passedAt);
      const end = (): void => {
        found.failures.checkAtEnd();
      };
      if (atEnd) assert.throws(end, { code: 'SOURCE' });
      else end();
    });
  }

  it('by default not once a document succeeded', () => {
    const failures = createFailureLimit(undefined, '');
    failures.succeeded();
    for (let n = 0; n < 3000; n++) failures.failed({ stage: 'parse', reason: 'x' });
    failures.check();
    failures.checkAtEnd();
  });

  it('with a code by the stage of the failure that was one too many', () => {
    const stages = {
      read: 'SOURCE',
      parse: 'SOURCE',
      chunk: 'SOURCE',
      embed: 'MODEL',
      write: 'SINK',
    } as const;
    for (const [stage, code] of Object.entries(stages)) {
      const failures = createFailureLimit(1, '');
      failures.failed({ stage: 'read', reason: 'x' });
      // Names of an object's own keys, declared above.
      failures.failed({ stage: stage as Failure['stage'], reason: 'y' });
      failures.failed({ stage: 'read', reason: 'x' });
      assert.throws(
        () => {
          failures.check();
        },
        { code },
      );
    }
  });

  it('in words that say how many, the first reason, where the letters are and what to do', () => {
    const share = judged('5%', 20, 180, 'write').failures;
    assert.throws(
      () => {
        share.checkAtEnd();
      },
      {
        message:
          '20 of 200 documents (10.0 %) failed, more than --max-failures 5% allows; the first: reason 0. What was ' +
          'written stays. The dead letters in s3://state/dead-letters/*.jsonl say what failed: mend the cause and run ' +
          'again, or let more fail with --max-failures.',
        details: { failed: 20, succeeded: 180 },
      },
    );
    const all = judged(undefined, 1000, 0, 'embed').failures;
    assert.throws(
      () => {
        all.check();
      },
      {
        message: /^the first 1,000 documents failed, all of them; the first: reason 0\. /,
      },
    );
  });
});
