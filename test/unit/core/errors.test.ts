import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeError, EmbatchError, systemErrorCode } from '#embatch/core/errors.js';

const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9'), { code: 'ECONNREFUSED' });

for (const [error, words] of [
  ['text', 'text'],
  [new Error('outer', { cause: new Error('inner') }), 'outer: inner'],
  [new Error('outer: inner', { cause: new Error('inner') }), 'outer: inner'],
  [
    new AggregateError([refused, new Error('other')]),
    'AggregateError: connect ECONNREFUSED 127.0.0.1:9: other',
  ],
  [new Error('two\n  lines'), 'two lines'],
  [new EmbatchError('SOURCE', 'Says\nall.', { cause: new Error('for logs') }), 'Says all.'],
  [
    new Error('outer', { cause: new EmbatchError('SINK', 'Says all.', { cause: 'a stack' }) }),
    'outer: Says all.',
  ],
] as const) {
  test(`an error is told as "${words}"`, () => {
    assert.equal(describeError(error), words);
  });
}

test("the system's code is found below other errors", () => {
  const error = new EmbatchError('SOURCE', 'no', { cause: new Error('outer', { cause: refused }) });
  assert.equal(systemErrorCode(error), 'ECONNREFUSED');
  assert.equal(systemErrorCode(new Error('none')), undefined);
});
