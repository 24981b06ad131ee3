import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeenIds } from '#embatch/job/seen-ids.js';

test('an id is new once, among very many', () => {
  const seen = new SeenIds();
  for (let i = 0; i < 50_000; i++) assert.ok(seen.add(`record ${i}`), `record ${i} counts as a repetition`);
  for (let i = 0; i < 50_000; i++) assert.ok(!seen.add(`record ${i}`), `record ${i} was forgotten`);
});

test('ids that look alike are told apart', () => {
  const seen = new SeenIds();
  for (const id of ['', '0', '00', ' 0', 'a', 'A', '\u00e9', 'e\u0301'])
    assert.ok(seen.add(id), JSON.stringify(id));
});
