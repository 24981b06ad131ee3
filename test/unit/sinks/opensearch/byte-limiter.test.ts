import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  FLOOR_BYTES,
  createByteLimiter,
  type ByteLimiter,
  type Permit,
} from '#embatch/sinks/opensearch/byte-limiter.js';
import { createLatencyBaseline } from '#embatch/sinks/opensearch/latency-baseline.js';

const never = new AbortController().signal;
const MB = 1_000_000;
/** Of an answer that nobody would call slow. */
const QUICK_MS = 10;

function acquired(limiter: ByteLimiter, sizes: readonly number[]): Promise<Permit[]> {
  return Promise.all(sizes.map((bytes) => limiter.acquire(bytes, never)));
}

/** Requests of `bytes` that queue up behind the limit, all answered well. */
async function fullRound(limiter: ByteLimiter, bytes: number, requests: number): Promise<void> {
  const work = Array.from({ length: requests }, async () => {
    const permit = await limiter.acquire(bytes, never);
    await Promise.resolve();
    permit.release('taken', QUICK_MS);
  });
  await Promise.all(work);
}

describe('opensearch: the bytes under way', () => {
  it('are never more than the limit; who waits goes first come, first served', async () => {
    const limiter = createByteLimiter({ maxBytes: 10, maxRequests: 100 });
    const order: number[] = [];
    const sizes = [6, 3, 4, 1, 5];
    const permits = sizes.map(async (bytes, n) => {
      const permit = await limiter.acquire(bytes, never);
      order.push(n);
      assert.ok(limiter.underWay <= 10);
      return permit;
    });
    await Promise.all(permits.slice(0, 2));
    // The fourth would fit and does not overtake the third.
    assert.deepEqual([order, limiter.underWay], [[0, 1], 9]);
    (await permits[0])?.release('taken', QUICK_MS);
    await Promise.all(permits.slice(2, 4));
    assert.deepEqual([order, limiter.underWay], [[0, 1, 2, 3], 8]);
    for (const permit of await Promise.all(permits.slice(1, 4))) permit.release('taken', QUICK_MS);
    await permits[4];
    assert.deepEqual([order, limiter.underWay], [[0, 1, 2, 3, 4], 5]);
  });

  it('requests are bounded in number, too', async () => {
    const limiter = createByteLimiter({ maxBytes: 100, maxRequests: 2 });
    const [first] = await acquired(limiter, [1, 1]);
    let third = false;
    const waiting = limiter.acquire(1, never).then(() => (third = true));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(third, false);
    first?.release('taken', QUICK_MS);
    await waiting;
  });

  it('what is larger than the limit goes alone', async () => {
    const limiter = createByteLimiter({ maxBytes: 10, maxRequests: 5 });
    const [small] = await acquired(limiter, [1]);
    const large = limiter.acquire(50, never);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(limiter.underWay, 1);
    small?.release('taken', QUICK_MS);
    (await large).release('taken', QUICK_MS);
    assert.equal(limiter.underWay, 0);
  });

  it('one overload that several requests met halves once, the next one again', async () => {
    const limiter = createByteLimiter({ maxBytes: 8 * MB, maxRequests: 8 });
    for (const permit of await acquired(limiter, Array<number>(8).fill(MB))) permit.release('overloaded', 1);
    assert.equal(limiter.limit, 4 * MB);
    for (const permit of await acquired(limiter, Array<number>(4).fill(MB))) permit.release('overloaded', 1);
    assert.equal(limiter.limit, 2 * MB);
  });

  it('half is of what was under way, where that was less than allowed', async () => {
    const limiter = createByteLimiter({ maxBytes: 80 * MB, maxRequests: 8 });
    const [first, second] = await acquired(limiter, [MB, MB]);
    first?.release('overloaded', 1);
    assert.equal(limiter.limit, MB);
    second?.release('overloaded', 1);
    assert.equal(limiter.limit, MB);
  });

  it('the limit never falls below one small request, and a full limit raises it step by step', async () => {
    const limiter = createByteLimiter({ maxBytes: 4 * MB, maxRequests: 1e6 });
    for (let n = 0; n < 20; n++) (await limiter.acquire(MB, never)).release('overloaded', 1);
    assert.equal(limiter.limit, FLOOR_BYTES);
    let rounds = 0;
    for (let before = limiter.limit; before < 4 * MB; before = limiter.limit) {
      await fullRound(limiter, FLOOR_BYTES, Math.ceil(before / FLOOR_BYTES) + 1);
      assert.ok(limiter.limit > before, 'grows');
      assert.ok(limiter.limit <= before * 1.6, `slowly: from ${before} to ${limiter.limit}`);
      rounds++;
    }
    assert.ok(rounds > 20, `${rounds} rounds`);
    assert.equal(limiter.limit, 4 * MB);
  });

  it('a limit that holds nobody back is not raised', async () => {
    const limiter = createByteLimiter({ maxBytes: 4 * MB, maxRequests: 1000 });
    for (let n = 0; n < 3; n++) (await limiter.acquire(MB, never)).release('overloaded', 1);
    const before = limiter.limit;
    for (let n = 0; n < 100; n++) (await limiter.acquire(1000, never)).release('taken', QUICK_MS);
    assert.equal(limiter.limit, before);
  });

  it('an answer that says nothing about the load changes nothing', async () => {
    const limiter = createByteLimiter({ maxBytes: MB, maxRequests: 4 });
    (await limiter.acquire(2 * MB, never)).release('unclear', 60_000);
    assert.equal(limiter.limit, MB);
  });

  it('a slow answer halves as a refusal does', async () => {
    const limiter = createByteLimiter({ maxBytes: 4 * MB, maxRequests: 4 });
    for (let n = 0; n < 20; n++) (await limiter.acquire(MB, never)).release('taken', 600);
    assert.equal(limiter.limit, 4 * MB);
    for (const permit of await acquired(limiter, [MB, MB, MB, MB])) permit.release('taken', 5000);
    assert.equal(limiter.limit, 2 * MB);
  });

  it('who gives up waiting leaves the queue, with the reason, and lets smaller ones pass', async () => {
    const limiter = createByteLimiter({ maxBytes: 10, maxRequests: 9 });
    const [running] = await acquired(limiter, [8]);
    const controller = new AbortController();
    const reason = new Error('enough');
    const waiting = limiter.acquire(5, controller.signal);
    const next = limiter.acquire(2, never);
    controller.abort(reason);
    await assert.rejects(waiting, (error) => error === reason);
    await assert.rejects(limiter.acquire(1, controller.signal), (error) => error === reason);
    (await next).release('taken', QUICK_MS);
    running?.release('taken', QUICK_MS);
    assert.equal(limiter.underWay, 0);
  });
});

describe('opensearch: answers that take far longer than usual', () => {
  const usual = (ms: number, bytes = MB, answers = 50) => {
    const baseline = createLatencyBaseline();
    for (let n = 0; n < answers; n++) baseline.isSlow(ms, bytes);
    return baseline;
  };

  it('are slow from four times the usual on, size considered', () => {
    assert.equal(usual(1000).isSlow(3900, MB), false);
    assert.equal(usual(1000).isSlow(4100, MB), true);
    assert.equal(usual(1000).isSlow(15_000, 5 * MB), false);
    assert.equal(usual(1000).isSlow(4100, 2 * MB), false);
  });

  it('are never slow below two seconds', () => {
    assert.equal(usual(5).isSlow(1999, MB), false);
    assert.equal(usual(5).isSlow(2001, MB), true);
  });

  it('the first is the measure, whatever it is', () => {
    assert.equal(createLatencyBaseline().isSlow(60_000, 1), false);
  });

  it('one that hung does not spoil the measure, and a cluster that stays slow becomes the usual', () => {
    const baseline = usual(1000);
    assert.equal(baseline.isSlow(600_000, MB), true);
    assert.equal(baseline.isSlow(5000, MB), true);
    let slow = 0;
    while (baseline.isSlow(5000, MB)) slow++;
    assert.ok(slow > 1 && slow < 100, `${slow} slow answers`);
  });

  it('after slow times a cluster that is fast again is the measure at once', () => {
    const baseline = usual(20_000);
    for (let n = 0; n < 20; n++) baseline.isSlow(1000, MB);
    assert.equal(baseline.isSlow(6000, MB), true);
  });
});
