import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createCredentialCache } from '#embatch/sinks/opensearch/credentials.js';
import { RequestFailure } from '#embatch/sinks/opensearch/failure.js';

const keys = { accessKeyId: 'a', secretAccessKey: 's' };

function counted(expiration?: Date) {
  const forced: (boolean | undefined)[] = [];
  const cache = createCredentialCache((options) => {
    forced.push(options?.forceRefresh);
    return Promise.resolve({ ...keys, ...(expiration === undefined ? {} : { expiration }) });
  });
  return { cache, forced };
}

describe('opensearch: credentials', () => {
  it('are asked for once, however many want them at once', async () => {
    const { cache, forced } = counted();
    await Promise.all(Array.from({ length: 50 }, () => cache.get()));
    await cache.get();
    assert.deepEqual(forced, [false]);
  });

  it('are renewed before they expire', async () => {
    const { cache, forced } = counted(new Date(Date.now() + 60_000));
    assert.equal((await cache.get()).needsRefresh(), true);
    await cache.get();
    assert.equal(forced.length, 2);
    const fresh = counted(new Date(Date.now() + 3_600_000));
    assert.equal((await fresh.cache.get()).needsRefresh(), false);
  });

  it('that were refused are renewed once for all who were refused', async () => {
    const { cache, forced } = counted();
    const old = await cache.get();
    const { generation } = cache;
    cache.forget(generation);
    assert.equal(old.needsRefresh(), true);
    await cache.get();
    cache.forget(generation);
    await cache.get();
    assert.deepEqual(forced, [false, true]);
  });

  it('that cannot be had are a failure with words, and are asked for again later', async () => {
    let calls = 0;
    const cache = createCredentialCache(() =>
      ++calls === 1 ? Promise.reject(new Error('no profile')) : Promise.resolve(keys),
    );
    await assert.rejects(
      cache.get(),
      (error) =>
        error instanceof RequestFailure && error.type === 'credentials' && error.message === 'no profile',
    );
    assert.equal((await cache.get()).accessKeyId, 'a');
  });
});
