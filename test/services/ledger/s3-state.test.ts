import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import { openState } from '#embatch/ledger/open-state.js';
import { describeLeases } from '../../conformance/lease-cases.js';
import { describeState, type StateConformance } from '../../conformance/state-conformance.js';
import { createBucket } from '../../support/bucket.js';
import { startLosingProxy } from '../../support/losing-proxy.js';
import { s3Url, skipWithoutS3 } from '../../support/services.js';

let bucket = '';
before(async () => {
  if (skipWithoutS3 === false) bucket = await createBucket();
});

const onS3: StateConformance = {
  name: 'S3',
  skip: skipWithoutS3,
  createPlace: () => {
    const prefix = `state/${randomUUID()}`;
    return Promise.resolve({
      open: () => openState(`s3://${bucket}/${prefix}/`),
      remove: () => Promise.resolve(),
    });
  },
};
describeState(onS3);
describeLeases({ ...onS3, timed: false });

describe('state on S3', { skip: skipWithoutS3 }, () => {
  it('lists more names than fit one page, and none of a neighbour with a longer name', async () => {
    const store = await openState(`s3://${bucket}/pages/a`);
    const neighbour = await openState(`s3://${bucket}/pages/ab`);
    await neighbour.put('x/of-the-neighbour', '');
    const names = Array.from({ length: 1100 }, (_, n) => `x/${String(n).padStart(4, '0')}`);
    for (let start = 0; start < names.length; start += 50) {
      await Promise.all(names.slice(start, start + 50).map((name) => store.put(name, 'x')));
    }
    assert.deepEqual(await store.list(''), names);
    assert.deepEqual(await store.list('x/109'), names.slice(1090));
    await Promise.all([store.close(), neighbour.close()]);
  });

  it('may be a whole bucket', async () => {
    const own = await createBucket();
    const store = await openState(`s3://${own}`);
    await store.put('a/b', 'x');
    assert.deepEqual(await store.list(''), ['a/b']);
    assert.deepEqual(await store.list('a/'), ['a/b']);
    assert.equal(store.uri, `s3://${own}`);
    await store.close();
  });

  it('says which bucket does not exist', async () => {
    const store = await openState('s3://no-such-bucket-here/x');
    const calls = await Promise.allSettled([
      store.put('a', 'x'),
      store.putIfAbsent('a', 'x'),
      store.get('a'),
      store.list(''),
    ]);
    for (const call of calls) {
      assert.ok(call.status === 'rejected' && isEmbatchError(call.reason, 'STATE'));
      assert.match(call.reason.message, /s3:\/\/no-such-bucket-here\/x: .*bucket does not exist/);
    }
    await store.close();
  });

  it('knows its own success when the answer was lost and the request sent again', async () => {
    const proxy = await startLosingProxy(s3Url());
    const endpoint = process.env['AWS_ENDPOINT_URL_S3'];
    process.env['AWS_ENDPOINT_URL_S3'] = proxy.url;
    try {
      const store = await openState(`s3://${bucket}/lost-${randomUUID()}`);
      assert.equal(await store.putIfAbsent('a', 'same bytes'), true);
      assert.equal(proxy.lost(), 1);
      assert.equal(await store.putIfAbsent('a', 'same bytes'), false);
      await store.close();
    } finally {
      process.env['AWS_ENDPOINT_URL_S3'] = endpoint;
      await proxy.close();
    }
  });
});
