import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { test } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import { listBucket } from '#embatch/source/s3-list.js';
import type { Bucket } from '#embatch/source/s3-bucket.js';
import { listedBucket } from '../../support/listed-bucket.js';
import { randomNumbers } from '../../support/random.js';
import { recordingLogger } from '../../support/recording-logger.js';

/** What the walks are bounded by, see walks.ts. */
const MAX_REQUESTS = 16;

async function keysOf(bucket: Bucket, prefix = '', log = recordingLogger()): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of listBucket(bucket, prefix, { log })) keys.push(key);
  return keys;
}

const sorted = (keys: Iterable<string>): string[] =>
  [...new Set(keys)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

const numbered = (count: number, name: (n: number) => string): string[] =>
  sorted(Array.from({ length: count }, (_, n) => name(n)));

/** Answers come after another number of turns of the event loop each. */
const jitter = (random: () => number) => async (): Promise<void> => {
  for (let turns = Math.floor(random() * 8); turns > 0; turns--) await setImmediate();
};

const padded = (n: number, digits: number): string => String(n).padStart(digits, '0');
const pick = (random: () => number, from: readonly string[]): string =>
  from[Math.floor(random() * from.length)] ?? '';
const word = (random: () => number, alphabet: readonly string[], most: number): string =>
  Array.from({ length: 1 + Math.floor(random() * most) }, () => pick(random, alphabet)).join('');

const odd = [
  ' ',
  '+',
  '%',
  '/',
  '.',
  '~',
  '\u0001',
  '\u007f',
  '\n',
  'é',
  'ß',
  '\ud7ff',
  '\uff21',
  '\ufffd',
  '😀',
  '𐀀',
  '\u{10ffff}',
  'a',
  'Z',
  '0',
];
const letters = Array.from('abcdefghijklmnopqrstuvwxyz');
const hex = Array.from('0123456789abcdef');

/** How keys are made: by number, and by chance. */
const shapes: Readonly<Record<string, (random: () => number, n: number) => string>> = {
  'numbers with leading zeros': (_, n) => `docs/${padded(n, 9)}.txt`,
  'numbers without': (_, n) => `docs/${n}.txt`,
  'hashes in hexadecimal': (random) =>
    `h/${word(random, hex, 1)}${Array.from({ length: 15 }, () => pick(random, hex)).join('')}`,
  'dates and hashes': (random, n) =>
    `logs/2026/${padded(1 + (n % 12), 2)}/${padded(1 + (n % 28), 2)}/${Array.from({ length: 8 }, () => pick(random, hex)).join('')}.json`,
  words: (random) => `${word(random, letters, 6)}/${word(random, letters, 9)}.md`,
  'a long common beginning': (random) => `${'deep/'.repeat(60)}${word(random, hex, 6)}`,
  'characters of all sorts': (random) => word(random, odd, 6),
  'few, then very many': (random, n) =>
    n < 30 ? word(random, letters, 3) : `m/${'x'.repeat(40)}${padded(n, 6)}`,
  'folders of very different size': (random, n) => `${Math.floor(Math.log2(n + 1))}/${word(random, hex, 5)}`,
  'one character after the other': (_, n) => 'a'.repeat(1 + (n % 900)) + String(Math.floor(n / 900)),
};

for (const [shape, make] of Object.entries(shapes)) {
  test(`at several places at once, ${shape} are listed as they are in order`, async () => {
    for (const seed of [1, 2, 3, 4]) {
      const random = randomNumbers(seed);
      const keys = numbered(200 + Math.floor(random() * 2000), (n) => make(random, n));
      const pageSize = 2 + Math.floor(random() * 30);
      const bucket = listedBucket({ keys, pageSize, delay: jitter(random) });
      const log = recordingLogger();
      assert.deepEqual(await keysOf(bucket, '', log), keys, `seed ${seed}, pages of ${pageSize}`);
      assert.deepEqual(log.lines, [], 'nothing to tell');
      const pages = Math.ceil(keys.length / pageSize);
      assert.ok(
        bucket.requests.length <= pages * 1.6 + MAX_REQUESTS,
        `${bucket.requests.length} requests for ${pages} pages`,
      );
      assert.ok(bucket.mostAtOnce <= MAX_REQUESTS, `${bucket.mostAtOnce} requests at once`);
    }
  });
}

for (const [shape, least] of [
  ['numbers with leading zeros', 8],
  ['hashes in hexadecimal', 5],
  ['dates and hashes', 4],
  ['few, then very many', 6],
  ['words', 4],
] as const) {
  test(`${shape} take at least ${least} times fewer turns than one page after the other`, async () => {
    const random = randomNumbers(7);
    const keys = numbered(24_000, (n) => (shapes[shape] as (typeof shapes)[string])(random, n));
    const pages = Math.ceil(keys.length / 60);
    // Requests that wait together are answered together: the time of one round trip.
    let waiting: (() => void)[] = [];
    let rounds = 0;
    const answerAll = (): void => {
      rounds += 1;
      const answered = waiting;
      waiting = [];
      for (const answer of answered) answer();
    };
    const delay = (): Promise<void> =>
      new Promise((resolve) => {
        waiting.push(resolve);
        if (waiting.length === 1)
          void setImmediate()
            .then(() => setImmediate())
            .then(answerAll);
      });
    const bucket = listedBucket({ keys, pageSize: 60, delay });
    assert.equal((await keysOf(bucket)).length, keys.length);
    assert.ok(rounds * least <= pages, `${rounds} round trips for ${pages} pages`);
    assert.ok(
      bucket.requests.length <= pages * 1.35,
      `${bucket.requests.length} requests for ${pages} pages`,
    );
  });
}

for (const [count, requests] of [
  [0, 1],
  [10, 1],
  [11, 2],
  [30, 3],
  [40, 4],
] as const) {
  test(`${count} keys in pages of 10 take ${requests} requests, one after the other`, async () => {
    const bucket = listedBucket({
      keys: numbered(count, (n) => padded(n, 4)),
      pageSize: 10,
      delay: jitter(randomNumbers(1)),
    });
    assert.equal((await keysOf(bucket)).length, count);
    assert.equal(bucket.requests.length, requests);
    assert.equal(bucket.mostAtOnce, 1);
  });
}

test('a consumer that is slower than the store gets one page after the other', async () => {
  const keys = numbered(400, (n) => padded(n, 4));
  const bucket = listedBucket({ keys, pageSize: 10 });
  const listed: string[] = [];
  for await (const { key } of listBucket(bucket, '', { log: recordingLogger() })) {
    listed.push(key);
    await setImmediate();
    assert.ok(bucket.requests.length <= Math.ceil(listed.length / 10) + 1, 'no page is fetched long ahead');
  }
  assert.deepEqual(listed, keys);
  assert.equal(bucket.mostAtOnce, 1);
});

test('no more pages are held than the bound, however slow the consumer becomes', async () => {
  const keys = numbered(6000, (n) => padded(n, 6));
  const bucket = listedBucket({ keys, pageSize: 10, delay: jitter(randomNumbers(1)) });
  let taken = 0;
  for await (const object of listBucket(bucket, '', { log: recordingLogger() })) {
    taken += object.size;
    if (taken % 500 === 0) for (let turn = 0; turn < 200; turn++) await setImmediate();
    // A quarter may have been for nothing.
    const ahead = bucket.requests.length - (taken / 10) * 1.35;
    assert.ok(ahead <= 64 + MAX_REQUESTS, `${ahead} pages ahead`);
  }
  assert.equal(taken, keys.length);
});

test('a store that does not begin where it is told to is noticed and listed page by page', async () => {
  const keys = numbered(600, (n) => padded(n, 6));
  for (const seed of [1, 2, 3]) {
    const bucket = listedBucket({
      keys,
      pageSize: 10,
      delay: jitter(randomNumbers(seed)),
      ignoresStartAfter: true,
    });
    const log = recordingLogger();
    assert.deepEqual(await keysOf(bucket, '', log), keys);
    assert.equal(log.lines.filter((line) => line.includes('page by page')).length, 1);
    assert.ok(
      bucket.requests.some(({ StartAfter }) => StartAfter !== undefined),
      'it was tried',
    );
    assert.ok(bucket.requests.length < 60 + MAX_REQUESTS, 'and not again');
  }
});

test('a store that refuses to begin in the middle is listed page by page', async () => {
  const keys = numbered(600, (n) => padded(n, 6));
  const bucket = listedBucket({
    keys,
    pageSize: 10,
    delay: jitter(randomNumbers(1)),
    answer: (answer, { StartAfter }) => {
      if (StartAfter !== undefined)
        throw new Error('A parameter you provided implies functionality that is not implemented');
      return answer;
    },
  });
  assert.deepEqual(await keysOf(bucket), keys);
});

test('a store in the order of UTF-16 is noticed wherever its listing is parted', async () => {
  const random = randomNumbers(3);
  const characters = ['a', 'b', 'c', '\uff21', '\uf900', '😀', '𐀀'];
  for (let attempt = 0; attempt < 20; attempt++) {
    const keys = [...new Set(Array.from({ length: 800 }, () => word(random, characters, 5)))];
    const utf16 = (a: Buffer, b: Buffer): number => (a.toString() < b.toString() ? -1 : a.equals(b) ? 0 : 1);
    const bucket = listedBucket({ keys, pageSize: 20, delay: jitter(random), compare: utf16 });
    await assert.rejects(
      keysOf(bucket),
      (error) => isEmbatchError(error, 'SOURCE') && error.message.includes('not in byte order'),
    );
  }
});

test('keys that are no UTF-8 are warned of once each, wherever the listing is parted', async () => {
  const good = numbered(2000, (n) => `k/${padded(n, 5)}`);
  const bad = Array.from({ length: 300 }, (_, n) =>
    Buffer.concat([Buffer.from(`k/${padded(n * 6, 5)}`), Buffer.from([0xff, n & 0x7f, 0x2b, 0x20])]),
  );
  for (const seed of [1, 2, 3]) {
    const bucket = listedBucket({ keys: [...good, ...bad], pageSize: 9, delay: jitter(randomNumbers(seed)) });
    const log = recordingLogger();
    assert.deepEqual(await keysOf(bucket, 'k/', log), good);
    assert.ok(bucket.mostAtOnce > 1, 'it was parted');
    assert.equal(log.lines.length, bad.length);
    assert.equal(new Set(log.lines).size, bad.length);
  }
});

test('a page that fails ends the listing when its turn comes, and leaves nothing under way', async () => {
  const keys = numbered(2000, (n) => padded(n, 6));
  const failing = '001500';
  let underWay = 0;
  const bucket = listedBucket({
    keys,
    pageSize: 10,
    async delay() {
      underWay += 1;
      for (let turn = 0; turn < 3; turn++) await setImmediate();
      underWay -= 1;
    },
    answer: (answer) => {
      if (answer.Contents?.some(({ Key }) => Key === failing) === true) throw new Error('broken for good');
      return answer;
    },
  });
  let last = '';
  await assert.rejects(
    async () => {
      for await (const { key } of listBucket(bucket, '', { log: recordingLogger() })) last = key;
    },
    (error) => isEmbatchError(error, 'SOURCE') && error.message.includes('broken for good'),
  );
  assert.ok(last < failing && last >= '001470', last);
  assert.equal(underWay, 0);
});

test('a listing at several places stops with the reason of its signal', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const bucket = listedBucket({
    keys: numbered(4000, (n) => padded(n, 6)),
    pageSize: 10,
    delay: jitter(randomNumbers(1)),
  });
  let taken = 0;
  const log = recordingLogger();
  await assert.rejects(async () => {
    for await (const object of listBucket(bucket, '', { log, signal: controller.signal })) {
      taken += object.size;
      if (taken === 2000) controller.abort(reason);
    }
  }, reason);
  assert.equal(taken, 2000);
  assert.deepEqual(log.lines, []);
});
