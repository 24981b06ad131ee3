import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EmbatchError } from '#embatch/core/errors.js';
import { isConflict, isHopeless, sinkError } from '#embatch/sinks/lancedb/failures.js';

/** As LanceDB 0.37.1 words them. */
const source =
  '/usr/local/cargo/registry/src/index.crates.io-1949cf8c6b5b557f/lance-io-10.0.0/src/object_store.rs:793:21';
const cases: readonly (readonly [name: string, message: string, words: RegExp, hopeless: boolean])[] = [
  [
    'a full disk',
    `lance error: LanceError(IO): No space left on device (os error 28), ${source}\n\nCaused by:\n  No space left`,
    /writing rows failed: the disk is full; free some space/,
    true,
  ],
  [
    'a read-only file system',
    `Unable to created lance dataset at /x: Read-only file system (os error 30)\n\nCaused by: Read-only file system`,
    /read-only; choose another folder/,
    true,
  ],
  ['no permission', 'LanceError(IO): Permission denied (os error 13)', /permission denied/, true],
  [
    'a bucket that is not there',
    'status: 404 Not Found, body: <Code>NoSuchBucket</Code>',
    /no such bucket/,
    true,
  ],
  [
    'refused credentials',
    'Client error with status 403 Forbidden: <Code>AccessDenied</Code>',
    /refused the cred/,
    true,
  ],
  [
    'anything else, without the source positions and repetitions of the library',
    `lance error: Something new, ${source}\nCaused by: Something new, ${source}`,
    /writing rows failed: lance error: Something new$/,
    false,
  ],
];

describe('failures of LanceDB', () => {
  for (const [name, message, words, hopeless] of cases) {
    it(`tells ${name} in words`, () => {
      const cause = new Error(message);
      const error = sinkError('lancedb:./v', 'writing rows', cause);
      assert.equal(error.code, 'SINK');
      assert.match(error.message, /^lancedb:\.\/v: [^\n]*$/);
      assert.match(error.message, words);
      assert.equal(error.cause, cause);
      assert.equal(isHopeless(cause), hopeless);
    });
  }

  it('leaves an error of ours as it is', () => {
    const error = new EmbatchError('USAGE', 'x');
    assert.equal(sinkError('u', 'd', error), error);
  });

  it('knows a lost race from a failure', () => {
    const conflict =
      'lance error: Retryable commit conflict for version 7: This Rewrite transaction was preempted by concurrent ' +
      'transaction Update at version 7. Please retry.';
    assert.equal(isConflict(new Error(conflict)), true);
    assert.equal(isConflict(new Error('No space left on device (os error 28)')), false);
  });
});
