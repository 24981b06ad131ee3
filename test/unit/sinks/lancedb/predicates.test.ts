import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StaleRows } from '#embatch/core/interfaces.js';
import { OBJECTS_PER_DELETE, idsPredicate, stalePredicates } from '#embatch/sinks/lancedb/predicates.js';

const gone = (object: string): StaleRows => ({ object, keep: undefined });
const triple = `(embatch.object || '/' || embatch.fingerprint || '/' || embatch.version)`;

describe('SQL for LanceDB', () => {
  const cases: readonly (readonly [string, StaleRows[], string[]])[] = [
    ['nothing', [], []],
    ['all rows of two objects', [gone('a'), gone('b')], [`embatch.object IN ('a','b')`]],
    [
      'one object with an exception, one without',
      [{ object: 'a', keep: { version: 'v', fingerprint: 'f' } }, gone('b')],
      [`embatch.object IN ('a','b') AND ${triple} NOT IN ('a/f/v')`],
    ],
    [
      'a quote in every text',
      [{ object: `o'`, keep: { version: `') OR true --`, fingerprint: `f'` } }],
      [`embatch.object IN ('o''') AND ${triple} NOT IN ('o''/f''/'') OR true --')`],
    ],
    [
      'an object that is named twice',
      [gone('a'), gone('a')],
      [`embatch.object IN ('a')`, `embatch.object IN ('a')`],
    ],
  ];
  for (const [name, stale, expected] of cases) {
    it(`names ${name}`, () => assert.deepEqual([...stalePredicates(stale)], expected));
  }

  it('cuts many objects into groups, each object once', () => {
    const count = 2 * OBJECTS_PER_DELETE + 1;
    const predicates = [...stalePredicates(Array.from({ length: count }, (_, n) => gone(`o${n}.`)))];
    assert.equal(predicates.length, 3);
    assert.equal(predicates.join('').match(/'o\d+\.'/g)?.length, count);
  });

  it('quotes ids', () => assert.equal(idsPredicate([`a`, `it's`]), `id IN ('a','it''s')`));
});
