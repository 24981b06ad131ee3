import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { shardOf } from '#embatch/shard/shard-of-key.js';

const counts = [1, 2, 3, 7, 64, 1000, 1_000_000, 2 ** 26] as const;

/** Made with Python: `int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], 'big') % n` for each count. */
const golden: readonly (readonly [key: string, shards: readonly number[]])[] = [
  ['', [0, 0, 1, 1, 20, 652, 261652, 16522260]],
  ['a', [0, 0, 1, 4, 10, 250, 962250, 35372490]],
  ['docs/readme.md', [0, 1, 1, 4, 23, 735, 899735, 37498263]],
  ['docs/2024/01/part-00000.jsonl.gz', [0, 1, 0, 0, 53, 269, 385269, 510261]],
  ['caf\u00e9.txt', [0, 0, 2, 3, 12, 708, 269708, 6038604]],
  ['cafe\u0301.txt', [0, 1, 2, 5, 47, 655, 204655, 15419759]],
  [
    'emoji/\ud83d\ude00\ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67.md',
    [0, 1, 1, 4, 45, 525, 828525, 34034477],
  ],
  ['a//b/../c?d=e&f%20g+h', [0, 1, 1, 4, 19, 531, 744531, 66968019]],
  ['tab\tnew\nline', [0, 0, 0, 5, 26, 714, 434714, 47736666]],
  ['\u0645\u0631\u062d\u0628\u0627.html', [0, 0, 2, 1, 18, 322, 626322, 16288594]],
  ['k'.repeat(1024), [0, 1, 1, 4, 15, 575, 106575, 58249423]],
  [`${'\u65e5'.repeat(341)}x`, [0, 0, 2, 0, 62, 86, 897086, 64351998]],
  [' leading and trailing ', [0, 1, 2, 5, 19, 107, 473107, 30487315]],
];

describe('the shard of a key', () => {
  for (const [key, shards] of golden) {
    it(`is what another program computes for ${JSON.stringify(key).slice(0, 60)}`, () => {
      assert.deepEqual(
        counts.map((count) => shardOf(key, count)),
        shards,
      );
    });
  }

  it('spreads keys evenly', () => {
    const found = new Array<number>(8).fill(0);
    for (let key = 0; key < 8000; key++) {
      const shard = shardOf(`docs/${key}.txt`, 8);
      found[shard] = (found[shard] ?? 0) + 1;
    }
    assert.ok(Math.min(...found) > 900 && Math.max(...found) < 1100, found.join(' '));
  });
});
