import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultProxyDuringTests } from '../../support/fault-proxy.js';
import { testBucketDuringTests } from '../../support/s3-bucket.js';
import { openTestSource } from '../../support/s3-source.js';
import { s3Url, skipWithoutS3 as skip } from '../../support/services.js';
import { collectKeys } from '../../support/sources.js';

const PAGE_KEYS = 7;

/** Numbers, and between them what is hard to write into a request: both halves of the order differ from UTF-16's. */
const keys = [
  ...Array.from({ length: 300 }, (_, n) => `many/${String(n * 3).padStart(5, '0')} + %20.txt`),
  ...Array.from({ length: 60 }, (_, n) => `many/é ${String(n)}`),
  ...Array.from({ length: 60 }, (_, n) => `many/\uff21${String(n)}`),
  ...Array.from({ length: 60 }, (_, n) => `many/😀/${String(n)}`),
];

const proxy = faultProxyDuringTests(s3Url, skip);
const bucket = testBucketDuringTests((bucket) => bucket.putAll(keys.map((key) => [key, 'x'] as const)));

test('a real store gives the same keys, in the same order, at several places at once', { skip }, async () => {
  const source = await openTestSource(proxy, `s3://${bucket.name}/many/`, { pageSize: PAGE_KEYS });
  const expected = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual(await collectKeys(source), expected);
  const begun = proxy.requests.filter(({ url }) => /[?&]start-after=/.test(url));
  assert.ok(begun.length > 0, 'it was listed at several places');
  assert.ok(
    !begun.some(({ url }) => url.includes('continuation-token')),
    'a place is named once, then the token',
  );
  assert.ok(proxy.requests.length < (keys.length / PAGE_KEYS) * 1.6, `${proxy.requests.length} requests`);
  await source.close();
});
