import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { isEmbatchError } from '#embatch/core/errors.js';
import { openSource } from '#embatch/source/open-source.js';
import { eventually } from '../../support/eventually.js';
import { faultProxyDuringTests } from '../../support/fault-proxy.js';
import { recordingLogger } from '../../support/recording-logger.js';
import { testBucketDuringTests } from '../../support/s3-bucket.js';
import { openTestSource, throughProxy } from '../../support/s3-source.js';
import { s3Url, skipWithoutS3 as skip } from '../../support/services.js';
import { collect, collectKeys } from '../../support/sources.js';

/** Named so that their order as bytes, as UTF-16 and as people would sort them differ. */
const oddKeys = [
  ' leading and trailing ',
  '../x',
  './y',
  '/rooted',
  'a',
  'a b+c%20d%2Be.md',
  'a-b',
  'a.txt',
  'a/../b',
  'a//b',
  'a/b',
  '1234567890',
  'amp&lt;&amp;"\'',
  'caf\u00e9',
  'cafe\u0301',
  'control\u0001\u007f',
  'cr\rtab\t',
  'folder/with marker/file',
  'question?hash#colon:semicolon;',
  'x'.repeat(900),
  '\uff21',
  '\ufffd',
  '😀/😁',
  '\u202eright to left',
];

/** Longer than any test may take. */
const NEVER_MS = 600_000;

const proxy = faultProxyDuringTests(s3Url, skip);
const bucket = testBucketDuringTests(async (bucket) => {
  await bucket.putAll(oddKeys.map((key) => [`odd/${key}`, key]));
  await bucket.putAll([
    ['odd/folder/with marker/', ''],
    ['odd/not a marker/', 'content'],
    ['docs/a.md', 'A'],
    ['docs/b.md', 'BB'],
    ['docs-old/c.md', ''],
  ]);
});

const listing = (body: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${body}</ListBucketResult>`;
const entry = (key: string, more = ''): string =>
  `<Contents><Key>${key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>1</Size>${more}</Contents>`;

test('keys come exactly as stored, ascending by their bytes, folder markers left out', { skip }, async () => {
  const source = await openSource(`s3://${bucket.name}/odd/`, { log: recordingLogger() });
  const expected = [...oddKeys, 'not a marker/'].map((key) => `odd/${key}`);
  expected.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual(await collectKeys(source), expected);
  await source.close();
});

test('an object has size, ETag without quotes and time', { skip }, async () => {
  const { etag } = await bucket.put('one/x', 'text');
  const source = await openSource(`s3://${bucket.name}/one/x`, { log: recordingLogger() });
  const [object] = await collect(source);
  assert.equal(source.id, `s3://${bucket.name}`);
  assert.deepEqual([object?.key, object?.size, object?.version, object?.skip], ['one/x', 4, etag, undefined]);
  assert.match(etag, /^[0-9a-f]{32}$/);
  assert.match(object?.lastModified ?? '', /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  await source.close();
});

for (const [prefix, expected] of [
  ['docs', ['docs-old/c.md', 'docs/a.md', 'docs/b.md']],
  ['docs/', ['docs/a.md', 'docs/b.md']],
  ['docs/b', ['docs/b.md']],
  ['none/', []],
] as const) {
  test(`the prefix "${prefix}" means what it means to S3`, { skip }, async () => {
    const source = await openSource(`s3://${bucket.name}/${prefix}`, { log: recordingLogger() });
    assert.deepEqual(await collectKeys(source), expected);
    await source.close();
  });
}

test('globs match after the folder of the prefix, too', { skip }, async () => {
  const options = { log: recordingLogger(), include: ['a.md', 'docs-old/*'] };
  const source = await openSource(`s3://${bucket.name}/docs`, options);
  assert.deepEqual(await collectKeys(source), ['docs-old/c.md', 'docs/a.md']);
  await source.close();
});

test('a listing goes on page by page, the next one asked for meanwhile', { skip }, async () => {
  const keys = Array.from({ length: 23 }, (_, index) => `many/${String(index).padStart(5, '0')}`);
  await bucket.putAll(keys.map((key) => [key, key]));
  const source = await openTestSource(proxy, `s3://${bucket.name}/many/`, { pageSize: 10 });
  const listed: string[] = [];
  for await (const { key } of source.list()) {
    listed.push(key);
    assert.ok(proxy.requests.length <= Math.ceil(listed.length / 10) + 1, 'no page is fetched long ahead');
  }
  assert.deepEqual(listed, keys);
  assert.equal(proxy.requests.length, 3);
  await source.close();
});

test('a listing that is left early leaves no request behind', { skip }, async () => {
  const source = await openTestSource(proxy, `s3://${bucket.name}/`, {
    pageSize: 1,
    socketTimeoutMs: NEVER_MS,
  });
  // The second page never comes: leaving must not wait for it.
  proxy.add({ when: ({ url }) => url.includes('continuation-token'), fault: { kind: 'stall', bytes: 0 } });
  const objects = source.list()[Symbol.asyncIterator]();
  await objects.next();
  await eventually('the next page to be asked for', () => proxy.requests.length === 2);
  await objects.return?.();
  await eventually('the request to be given up', async () => (await proxy.connections()) === 0);
  await source.close();
});

test('a listing stops with the reason of its signal', { skip }, async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  proxy.add({
    fault: {
      kind: 'hold',
      until: () => {
        controller.abort(reason);
        return Promise.resolve();
      },
    },
  });
  const source = await openTestSource(proxy, `s3://${bucket.name}/`);
  await assert.rejects(source.list({ signal: controller.signal })[Symbol.asyncIterator]().next(), reason);
  await assert.rejects(source.list({ signal: controller.signal })[Symbol.asyncIterator]().next(), reason);
  await source.close();
});

test('a store that ignores encoding-type gives raw keys, and they are taken raw', { skip }, async () => {
  const body = listing(entry('a%20b') + entry('a+b'));
  proxy.add({ fault: { kind: 'respond', status: 200, body } });
  const source = await openTestSource(proxy, `s3://${bucket.name}/`);
  assert.deepEqual(await collectKeys(source), ['a%20b', 'a+b']);
  await source.close();
});

test('the encoded form of S3 itself is decoded', { skip }, async () => {
  const body = listing(`<EncodingType>url</EncodingType>${entry('a%2520b')}${entry('a+b')}${entry('a%2Bb')}`);
  proxy.add({ fault: { kind: 'respond', status: 200, body } });
  const source = await openTestSource(proxy, `s3://${bucket.name}/`);
  await assert.rejects(collectKeys(source), /"a b" came after "a%20b"/);
  await source.close();
});

for (const [described, body, message] of [
  ['out of order', entry('b') + entry('a'), /not in byte order: "a" came after "b".*Directory buckets/],
  ['in UTF-16 order', entry('😀') + entry('\uff21'), /not in byte order/],
  ['with a key twice', entry('a') + entry('a'), /not in byte order: "a" came after "a"/],
  ['cut off', `${entry('a')}<IsTruncated>true</IsTruncated>`, /says there is more, but not where/],
  ['without ETags', '<Contents><Key>a</Key><Size>1</Size></Contents>', /has no ETag/],
] as const) {
  test(`a listing ${described} ends the job`, { skip }, async () => {
    proxy.add({ fault: { kind: 'respond', status: 200, body: listing(body) } });
    const source = await openTestSource(proxy, `s3://${bucket.name}/`);
    await assert.rejects(
      collectKeys(source),
      (error) => isEmbatchError(error, 'SOURCE') && message.test(error.message),
    );
    await source.close();
  });
}

test('archived objects are to be skipped, restored and instant ones are not', { skip }, async () => {
  const archived = '<StorageClass>GLACIER</StorageClass>';
  const restored = `${archived}<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress><RestoreExpiryDate>2030-01-01T00:00:00.000Z</RestoreExpiryDate></RestoreStatus>`;
  const restoring = `${archived}<RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus>`;
  const entries = [
    entry('a', archived),
    entry('b', '<StorageClass>DEEP_ARCHIVE</StorageClass>'),
    entry('c', '<StorageClass>GLACIER_IR</StorageClass>'),
    entry('d', restored),
    entry('e', restoring),
    entry('f', '<StorageClass>INTELLIGENT_TIERING</StorageClass>'),
  ];
  proxy.add({ fault: { kind: 'respond', status: 200, body: listing(entries.join('')) } });
  const source = await openTestSource(proxy, `s3://${bucket.name}/`);
  const objects = await collect(source);
  assert.deepEqual(
    objects.flatMap(({ key, skip: reason }) => (reason === 'archived' ? [key] : [])),
    ['a', 'b', 'e'],
  );
  assert.equal(proxy.requests[0]?.headers['x-amz-optional-object-attributes'], 'RestoreStatus');
  await source.close();
});

test('an archived object of the real store is to be skipped, and opening it says why', { skip }, async () => {
  const Key = 'archive/x';
  await bucket.client.send(
    new PutObjectCommand({ Bucket: bucket.name, Key, Body: 'x', StorageClass: 'GLACIER' }),
  );
  const source = await openSource(`s3://${bucket.name}/archive/`, { log: recordingLogger() });
  const [object] = await collect(source);
  assert.equal(object?.skip, 'archived');
  await assert.rejects(
    source.open(object),
    (error) =>
      isEmbatchError(error, 'OBJECT_DENIED') && /InvalidObjectState.*Restore the object/.test(error.message),
  );
  await source.close();
});

test('a storm of SlowDown is sat out', { skip }, async () => {
  proxy.add({
    times: 9,
    fault: { kind: 'respond', status: 503, body: '<Error><Code>SlowDown</Code></Error>' },
  });
  const log = recordingLogger();
  const source = await openTestSource(proxy, `s3://${bucket.name}/docs/`, { log });
  assert.deepEqual(await collectKeys(source), ['docs/a.md', 'docs/b.md']);
  assert.equal(proxy.requests.length, 10);
  assert.match(log.lines[0] ?? '', /^warn s3:\/\/\S+: .*SlowDown.*; trying again in/);
  await source.close();
});

test('a storm that does not end is an error that a later run may not meet', { skip }, async () => {
  proxy.add({ fault: { kind: 'respond', status: 503, body: '<Error><Code>SlowDown</Code></Error>' } });
  const source = await openTestSource(proxy, `s3://${bucket.name}/docs/`, { patience: { totalMs: 20 } });
  await assert.rejects(
    collectKeys(source),
    (error) =>
      isEmbatchError(error, 'SOURCE') && error.retryable && /SlowDown.*Try again later/.test(error.message),
  );
  await source.close();
});

test('the region that a bucket answers with is followed once, and kept', { skip }, async () => {
  const elsewhere = (authorization: unknown): boolean => !String(authorization).includes('/eu-central-1/s3/');
  proxy.add({
    when: ({ headers }) => elsewhere(headers['authorization']),
    fault: {
      kind: 'respond',
      status: 301,
      headers: { 'x-amz-bucket-region': 'eu-central-1' },
      body: '<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>',
    },
  });
  const source = await openTestSource(proxy, `s3://${bucket.name}/docs/`);
  const objects = await collect(source);
  assert.equal(objects.length, 2);
  await Promise.all(
    objects.map(async (object) => (await source.open(object)).body[Symbol.asyncIterator]().return?.()),
  );
  assert.deepEqual(
    proxy.requests.map(({ fault }) => fault),
    ['respond', undefined, undefined, undefined],
  );
  await source.close();
});

test('unsigned requests are sent on demand only', { skip }, async () => {
  for (const anonymous of [true, false]) {
    proxy.reset();
    const source = await throughProxy(proxy, () =>
      openSource(`s3://${bucket.name}/docs/`, { log: recordingLogger(), anonymous }),
    );
    assert.equal((await collectKeys(source)).length, 2);
    assert.equal(proxy.requests[0]?.headers['authorization'] === undefined, anonymous);
    await source.close();
  }
});
