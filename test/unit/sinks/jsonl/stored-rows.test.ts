import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Row } from '#embatch/core/interfaces.js';
import { StoredRows } from '#embatch/sinks/jsonl/stored-rows.js';

const OBJECTS = 40;
const VERSIONS = 3;

describe('the rows that a JSONL index holds', () => {
  it('are counted as a model counts them, whatever is written and removed', () => {
    const stored = new StoredRows();
    const model = new Map<string, Row['embatch']>();
    let state = 7;
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const isStale = (row: Row['embatch'], object: string, keep: { version: string } | undefined): boolean =>
      row.object === object && row.version !== keep?.version;
    let removed = 0;
    for (let step = 0; step < 30_000; step++) {
      const object = `object ${random(OBJECTS)}`;
      const version = `v${random(VERSIONS)}`;
      if (random(10) > 0) {
        const id = `${object}, chunk ${random(200)}`;
        const embatch = { id, object, version, fingerprint: 'f' };
        stored.note(id, embatch);
        model.set(id, embatch);
        continue;
      }
      const keep = random(2) === 0 ? undefined : { version, fingerprint: 'f' };
      const stale = [...model.values()].filter((row) => isStale(row, object, keep));
      assert.equal(stored.count({ object, keep }), stale.length, `step ${step}`);
      if (random(2) === 0) continue;
      removed += stale.length;
      stored.remove({ object, keep });
      for (const { id } of stale) model.delete(id);
      assert.equal(stored.count({ object, keep }), 0);
    }
    assert.ok(removed > 1000 && model.size > 500, `${removed} removed, ${model.size} left`);
  });

  it('of another fingerprint, or of a version that a fingerprint ends like, are told apart', () => {
    const stored = new StoredRows();
    const object = 'o';
    stored.note('1', { id: '1', object, version: 'v', fingerprint: 'f' });
    stored.note('2', { id: '2', object, version: 'v', fingerprint: 'g' });
    assert.equal(stored.count({ object, keep: { version: 'v', fingerprint: 'f' } }), 1);
    assert.equal(stored.count({ object, keep: { version: 'v', fingerprint: 'h' } }), 2);
    assert.equal(stored.count({ object: 'other', keep: undefined }), 0);
  });
});
