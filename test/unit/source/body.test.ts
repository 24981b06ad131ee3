import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import { createBody } from '#embatch/source/body.js';

function counted(): { body: AsyncIterable<Uint8Array>; disposals: () => number } {
  let disposals = 0;
  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    yield await Promise.resolve(Uint8Array.of(1));
    yield Uint8Array.of(2);
  }
  const body = createBody(read, () => {
    disposals++;
    return Promise.resolve();
  });
  return { body, disposals: () => disposals };
}

test('a body returned before its first read is disposed of', async () => {
  const { body, disposals } = counted();
  await body[Symbol.asyncIterator]().return?.();
  assert.equal(disposals(), 1);
});

test('a body left in the middle is disposed of', async () => {
  const { body, disposals } = counted();
  const chunks = body[Symbol.asyncIterator]();
  assert.deepEqual(await chunks.next(), { done: false, value: Uint8Array.of(1) });
  await chunks.return?.();
  assert.deepEqual(await chunks.next(), { done: true, value: undefined });
  assert.equal(disposals(), 1);
});

test('reading a body twice is a bug, not an empty document', async () => {
  const { body } = counted();
  const chunks: number[] = [];
  for await (const chunk of body) chunks.push(...chunk);
  assert.deepEqual(chunks, [1, 2]);
  assert.throws(
    () => body[Symbol.asyncIterator](),
    (error) => isEmbatchError(error, 'BUG'),
  );
});
