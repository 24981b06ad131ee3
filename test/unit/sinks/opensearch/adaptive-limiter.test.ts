import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  createAdaptiveLimiter,
  type AdaptiveLimiter,
  type Permit,
} from '#embatch/sinks/opensearch/adaptive-limiter.js';

const never = new AbortController().signal;

function acquired(limiter: AdaptiveLimiter, count: number): Promise<Permit[]> {
  return Promise.all(Array.from({ length: count }, () => limiter.acquire(never)));
}

describe('adaptive limiter', () => {
  it('lets no more run than its limit, first come, first served', async () => {
    const limiter = createAdaptiveLimiter(2);
    const order: number[] = [];
    const permits = Array.from({ length: 5 }, async (_, n) => {
      const permit = await limiter.acquire(never);
      order.push(n);
      return permit;
    });
    const first = await Promise.all(permits.slice(0, 2));
    assert.deepEqual(order, [0, 1]);
    first[0]?.release(false);
    await permits[2];
    assert.deepEqual(order, [0, 1, 2]);
    first[1]?.release(false);
    (await permits[2])?.release(false);
    await Promise.all(permits);
    assert.deepEqual(order, [0, 1, 2, 3, 4]);
  });

  it('one overload that several requests met halves once', async () => {
    const limiter = createAdaptiveLimiter(8);
    for (const permit of await acquired(limiter, 8)) permit.release(true);
    assert.equal(limiter.limit, 4);
    for (const permit of await acquired(limiter, 4)) permit.release(true);
    assert.equal(limiter.limit, 2);
  });

  it('never falls below one, and creeps up to its maximum', async () => {
    const limiter = createAdaptiveLimiter(3);
    for (let n = 0; n < 5; n++) (await limiter.acquire(never)).release(true);
    assert.equal(limiter.limit, 1);
    for (let n = 0; n < 5; n++) (await limiter.acquire(never)).release(false);
    assert.equal(limiter.limit, 1);
    for (let n = 0; n < 100; n++) (await limiter.acquire(never)).release(false);
    assert.equal(limiter.limit, 3);
  });

  it('who gives up waiting leaves the queue, with the reason', async () => {
    const limiter = createAdaptiveLimiter(1);
    const [running] = await acquired(limiter, 1);
    const controller = new AbortController();
    const reason = new Error('enough');
    const waiting = limiter.acquire(controller.signal);
    const next = limiter.acquire(never);
    controller.abort(reason);
    await assert.rejects(waiting, (error) => error === reason);
    await assert.rejects(limiter.acquire(controller.signal), (error) => error === reason);
    running?.release(false);
    (await next).release(false);
  });
});
