import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { test } from 'node:test';
import { mapConcurrent, sleep } from '#embatch/core/streams.js';

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

test('results come in the order of the items, whatever order the work ends in', async () => {
  const gates = [deferred(), deferred(), deferred()];
  const results = collect(
    mapConcurrent([0, 1, 2], 3, async (item) => {
      await gates[item]?.promise;
      return item;
    }),
  );
  for (const gate of gates.toReversed()) gate.resolve();
  assert.deepEqual(await results, [0, 1, 2]);
});

test('no more than the bound runs, and no item is taken before there is room', async () => {
  let running = 0;
  let peak = 0;
  let taken = 0;
  const items = function* () {
    for (; taken < 20; taken++) yield taken;
  };
  const stream = mapConcurrent(items(), 4, async (item) => {
    peak = Math.max(peak, ++running);
    await setImmediate();
    running -= 1;
    return item;
  });
  await stream.next();
  assert.ok(taken <= 5, `taken ${taken}`);
  await collect(stream);
  assert.equal(peak, 4);
});

test('a finished result is given while the source of items stalls', async () => {
  const stall = deferred();
  const items = async function* () {
    yield 'first';
    await stall.promise;
  };
  const stream = mapConcurrent(items(), 4, (item) => Promise.resolve(item));
  assert.deepEqual(await stream.next(), { value: 'first', done: false });
  stall.resolve();
  assert.equal((await stream.next()).done, true);
});

test('after a failure everything that was started is awaited before it is thrown', async () => {
  const slow = deferred();
  const slowStarted = deferred();
  let slowEnded = false;
  const stream = mapConcurrent([0, 1], 2, async (item) => {
    if (item === 0) {
      await slowStarted.promise;
      throw new Error('broken');
    }
    slowStarted.resolve();
    await slow.promise;
    slowEnded = true;
  });
  const failed = collect(stream);
  await slowStarted.promise;
  await setImmediate();
  slow.resolve();
  await assert.rejects(failed, /broken/);
  assert.ok(slowEnded);
});

test('a consumer that stops early ends the source', async () => {
  let ended = false;
  const items = function* () {
    try {
      for (let i = 0; ; i++) yield i;
    } finally {
      ended = true;
    }
  };
  for await (const item of mapConcurrent(items(), 2, (i) => Promise.resolve(i))) if (item === 3) break;
  assert.ok(ended);
});

test('sleep ends with the reason of its signal and keeps no listener', async () => {
  const controller = new AbortController();
  const sleeping = sleep(60_000, controller.signal);
  controller.abort(new Error('enough'));
  await assert.rejects(sleeping, /enough/);
  await assert.rejects(sleep(1, controller.signal), /enough/);
  await sleep(1, new AbortController().signal);
});
