import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { isEmbatchError, type ErrorCode } from '#embatch/core/errors.js';
import type { Source, SourceObject } from '#embatch/core/interfaces.js';
import { eventually } from '../../support/eventually.js';
import { faultProxyDuringTests, type SeenRequest } from '../../support/fault-proxy.js';
import { testBucketDuringTests } from '../../support/s3-bucket.js';
import { openTestSource } from '../../support/s3-source.js';
import { s3Url, skipWithoutS3 as skip } from '../../support/services.js';
import { collect, readAll } from '../../support/sources.js';

const LARGE_BYTES = 3 * 1024 * 1024;
const large = randomBytes(LARGE_BYTES);

/** Longer than any test may take. */
const NEVER_MS = 600_000;

const proxy = faultProxyDuringTests(s3Url, skip);
const bucket = testBucketDuringTests(async (bucket) => {
  await bucket.put('large.bin', large);
});

const isGet = ({ url }: SeenRequest): boolean => !url.includes('list-type');
const rangesAsked = (): unknown[] => proxy.requests.filter(isGet).map(({ headers }) => headers['range']);

async function listed(
  key: string,
  options: Parameters<typeof openTestSource>[2] = {},
): Promise<{ source: Source; object: SourceObject }> {
  const source = await openTestSource(proxy, `s3://${bucket.name}/${key}`, options);
  const [object] = await collect(source);
  assert.ok(object !== undefined, `${key} is not listed`);
  return { source, object };
}

function rejectsAs(promise: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> {
  return assert.rejects(promise, (error) => {
    assert.ok(isEmbatchError(error, code), String(error));
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  });
}

test('the listed version is asked for and read, with its type', { skip }, async () => {
  await bucket.put('typed.md', 'text', { contentType: 'text/markdown; charset=utf-8' });
  const { source, object } = await listed('typed.md');
  const opened = await source.open(object);
  assert.equal((await readAll(opened)).toString(), 'text');
  assert.equal(opened.contentType, 'text/markdown; charset=utf-8');
  assert.deepEqual(opened.object, object);
  assert.equal(proxy.requests.at(-1)?.headers['if-match'], `"${object.version}"`);
  await source.close();
});

test('an empty object has an empty body', { skip }, async () => {
  await bucket.put('empty.md', '');
  const { source, object } = await listed('empty.md');
  assert.equal((await readAll(await source.open(object))).byteLength, 0);
  await source.close();
});

test('an object that changed since it was listed is opened in its new version', { skip }, async () => {
  await bucket.put('changed.md', 'old');
  const { source, object } = await listed('changed.md');
  const { etag } = await bucket.put('changed.md', 'newer');
  const opened = await source.open(object);
  assert.equal((await readAll(opened)).toString(), 'newer');
  assert.deepEqual([opened.object.key, opened.object.size, opened.object.version], ['changed.md', 5, etag]);
  await source.close();
});

test('a store that ignores If-Match is not believed to have sent the listed version', { skip }, async () => {
  await bucket.put('ignored.md', 'old');
  const { source, object } = await listed('ignored.md');
  const { etag } = await bucket.put('ignored.md', 'newer');
  proxy.add({ when: isGet, fault: { kind: 'ignore', headers: ['if-match'] } });
  assert.equal((await source.open(object)).object.version, etag);
  await source.close();
});

test('an object that is gone has a code of its own', { skip }, async () => {
  await bucket.put('gone.md', 'x');
  const { source, object } = await listed('gone');
  await bucket.client.send(new DeleteObjectCommand({ Bucket: bucket.name, Key: object.key }));
  await rejectsAs(source.open(object), 'OBJECT_GONE', /Cannot read s3:\/\/\S+\/gone.*NoSuchKey/);
  await source.close();
});

for (const [status, body, code, message] of [
  [
    403,
    '<Error><Code>AccessDenied</Code><Message>no</Message></Error>',
    'OBJECT_DENIED',
    /AccessDenied: no \(HTTP 403\)/,
  ],
  [
    403,
    '<Error><Code>InvalidObjectState</Code></Error>',
    'OBJECT_DENIED',
    /Restore the object from its archive tier/,
  ],
  [500, '<Error><Code>InternalError</Code></Error>', 'OBJECT_UNREADABLE', /InternalError.*HTTP 500/],
  [400, '<Error><Code>KMS.DisabledException</Code></Error>', 'OBJECT_UNREADABLE', /KMS\.DisabledException/],
  [404, '<Error><Code>NoSuchBucket</Code></Error>', 'SOURCE', /NoSuchBucket.*Check the bucket's name/],
  [400, '<Error><Code>ExpiredToken</Code></Error>', 'SOURCE', /ExpiredToken.*get new temporary credentials/],
  [503, '<Error><Code>SlowDown</Code></Error>', 'SOURCE', /SlowDown/],
] as const) {
  test(`HTTP ${String(status)} ${body} while opening is ${code}`, { skip }, async () => {
    const { source, object } = await listed('large.bin', { patience: { totalMs: 20 } });
    proxy.add({ when: isGet, fault: { kind: 'respond', status, body } });
    await rejectsAs(source.open(object), code, message);
    await source.close();
  });
}

test('a body that breaks off is taken up where it broke, for the same version', { skip }, async () => {
  const { source, object } = await listed('large.bin');
  proxy.add({ when: isGet, times: 1, fault: { kind: 'cut', bytes: 1_000_000 } });
  proxy.add({ when: isGet, times: 1, fault: { kind: 'cut', bytes: 0 } });
  proxy.add({ when: isGet, times: 1, fault: { kind: 'cut', bytes: 500_001 } });
  assert.ok((await readAll(await source.open(object))).equals(large));
  const ranges = rangesAsked();
  assert.equal(ranges.length, 4);
  assert.equal(ranges[0], undefined);
  for (const range of ranges.slice(1)) assert.match(String(range), /^bytes=\d+-$/);
  for (const { headers } of proxy.requests.filter(isGet))
    assert.equal(headers['if-match'], `"${object.version}"`);
  await source.close();
});

test('a body that falls silent is taken up, too', { skip }, async () => {
  const { source, object } = await listed('large.bin', { socketTimeoutMs: 500 });
  proxy.add({ when: isGet, times: 1, fault: { kind: 'stall', bytes: 700_000 } });
  assert.ok((await readAll(await source.open(object))).equals(large));
  assert.equal(rangesAsked().length, 2);
  await source.close();
});

test('a store that ignores ranges sends everything again, and nothing is read twice', { skip }, async () => {
  const { source, object } = await listed('large.bin');
  proxy.add({ when: isGet, times: 1, fault: { kind: 'cut', bytes: 1_000_000 } });
  proxy.add({ when: isGet, fault: { kind: 'ignore', headers: ['range'] } });
  assert.ok((await readAll(await source.open(object))).equals(large));
  assert.equal(rangesAsked().length, 2);
  await source.close();
});

test('a body that always breaks off is given up, after bounded attempts', { skip }, async () => {
  const { source, object } = await listed('large.bin');
  proxy.add({ when: isGet, fault: { kind: 'cut', bytes: 10 } });
  await rejectsAs(
    source.open(object).then(readAll),
    'OBJECT_UNREADABLE',
    /large\.bin: the body broke off at byte \d+ of 3145728, and 8 attempts to go on from there failed/,
  );
  assert.equal(rangesAsked().length, 9);
  await source.close();
});

test(
  'a body that breaks off once a megabyte arrives all the same, however large it is',
  { skip },
  async () => {
    const bytes = randomBytes(12 * 1024 * 1024);
    await bucket.put('larger.bin', bytes);
    const { source, object } = await listed('larger.bin');
    proxy.add({ when: isGet, fault: { kind: 'cut', bytes: 1_200_000 } });
    const read = await readAll(await source.open(object));
    assert.ok(read.equals(bytes));
    assert.ok(rangesAsked().length > 9);
    await source.close();
  },
);

for (const [described, ignored] of [
  ['', []],
  [', also where the store ignores If-Match', ['if-match']],
] as const) {
  test(
    `an object that changes while it is read is an error, not a mixture${described}`,
    { skip },
    async () => {
      const key = `mixed${String(ignored.length)}.bin`;
      await bucket.put(key, large);
      const { source, object } = await listed(key);
      proxy.add({ when: isGet, times: 1, fault: { kind: 'cut', bytes: 1_000_000 } });
      proxy.add({ when: isGet, fault: { kind: 'ignore', headers: ignored } });
      const opened = await source.open(object);
      await bucket.put(key, randomBytes(LARGE_BYTES));
      await rejectsAs(readAll(opened), 'OBJECT_UNREADABLE', /changed while it was being read: run again/);
      await source.close();
    },
  );
}

test('a body that is returned early, read or not, ends its connection', { skip }, async () => {
  const { source, object } = await listed('large.bin', { socketTimeoutMs: NEVER_MS });
  proxy.add({ when: isGet, fault: { kind: 'stall', bytes: 100_000 } });
  for (const reads of [0, 1]) {
    const chunks = (await source.open(object)).body[Symbol.asyncIterator]();
    for (let read = 0; read < reads; read++) await chunks.next();
    assert.equal(await proxy.connections(), 1);
    await chunks.return?.();
    await eventually('the connection to be closed', async () => (await proxy.connections()) === 0);
  }
  await source.close();
});

test('a body can be returned while a read waits for a silent store', { skip }, async () => {
  const { source, object } = await listed('large.bin', { socketTimeoutMs: NEVER_MS });
  proxy.add({ when: isGet, fault: { kind: 'stall', bytes: 0 } });
  const chunks = (await source.open(object)).body[Symbol.asyncIterator]();
  const pending = chunks.next();
  await chunks.return?.();
  assert.equal((await pending).done, true);
  assert.equal(rangesAsked().length, 1);
  await source.close();
});

test('reading stops with the reason of the signal', { skip }, async () => {
  const { source, object } = await listed('large.bin', { socketTimeoutMs: NEVER_MS });
  const controller = new AbortController();
  const reason = new Error('enough');
  proxy.add({ when: isGet, fault: { kind: 'stall', bytes: 100_000 } });
  const opened = await source.open(object, { signal: controller.signal });
  const reading = readAll(opened);
  controller.abort(reason);
  await assert.rejects(reading, reason);
  await assert.rejects(source.open(object, { signal: controller.signal }), reason);
  await eventually('the connection to be closed', async () => (await proxy.connections()) === 0);
  await source.close();
});

test('a consumer that is slower than the socket timeout loses nothing', { skip }, async () => {
  // More than the buffers of both sockets hold, so that the connection really pauses.
  const bytes = randomBytes(24 * 1024 * 1024);
  await bucket.put('slow.bin', bytes);
  const { source, object } = await listed('slow.bin', { socketTimeoutMs: 1_000 });
  const opened = await source.open(object);
  const received: Uint8Array[] = [];
  for await (const chunk of opened.body) {
    if (received.length === 0) {
      // The paused connection is given up meanwhile.
      await eventually('the silent socket to be closed', async () => (await proxy.connections()) === 0);
    }
    received.push(chunk);
  }
  assert.ok(Buffer.concat(received).equals(bytes));
  assert.ok(rangesAsked().length > 1);
  await source.close();
});
