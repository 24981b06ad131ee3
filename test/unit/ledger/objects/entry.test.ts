import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatEntry, parseEntry, type StampedEntry } from '#embatch/ledger/objects/entry.js';

const entry: StampedEntry = {
  key: 'a',
  version: 'v',
  status: 'failed',
  chunks: 3,
  text: 't',
  at: 1_790_000_000_000,
};

test('an entry is read as it was written, whichever of its last parts it has', () => {
  const parts = [{ reason: 'too "long"\n' }, { crashes: 2 }, { letters: 7 }];
  for (let chosen = 0; chosen < 2 ** parts.length; chosen++) {
    const whole = parts.reduce<StampedEntry>(
      (made, part, n) => ((chosen >> n) & 1 ? { ...made, ...part } : made),
      entry,
    );
    const line = formatEntry(whole);
    assert.doesNotMatch(line, /\n|null\]$/);
    assert.deepEqual(parseEntry(line), whole);
  }
});
