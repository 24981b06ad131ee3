import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { overlapStarts } from '#embatch/chunk/overlap.js';
import { growingTokenizer } from '../../support/tokenizers.js';

describe('an overlap', () => {
  const text = Array.from({ length: 80 }, (_, index) => `w${index % 10}`).join(' ');

  it('is within its limit where words together make more tokens than each alone', async () => {
    for (let limit = 1; limit <= 60; limit++) {
      const [start = 0] = await overlapStarts(
        text,
        [{ body: text.length, floor: 0, limit }],
        [],
        growingTokenizer,
      );
      const [tokens = 0] = await growingTokenizer.count([text.slice(start)]);
      assert.ok(tokens <= limit, `${tokens} tokens of ${limit}`);
      assert.ok(tokens * 2 >= limit, `only ${tokens} tokens of ${limit}`);
    }
  });

  it('does not begin before its floor', async () => {
    const request = { body: text.length, floor: 200, limit: 50 };
    const [start = 0] = await overlapStarts(text, [request], [], growingTokenizer);
    assert.ok(start >= 200, `${start}`);
  });
});
