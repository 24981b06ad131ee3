import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Row, Sink, WriteOutcome } from '#embatch/core/interfaces.js';
import { createRowWriter } from '#embatch/job/row-writer.js';

interface Call {
  readonly ids: readonly string[];
  answer(outcomes?: readonly WriteOutcome[]): void;
  fail(error: Error): void;
}

/** A sink of which a test answers every write itself. */
function heldSink(limits: Sink['limits']): { sink: Sink; calls: Call[] } {
  const calls: Call[] = [];
  const write = (rows: readonly Row[]): Promise<readonly WriteOutcome[]> =>
    new Promise((resolve, reject) => {
      calls.push({
        ids: rows.map(({ id }) => id),
        answer: (outcomes = rows.map(() => ({ ok: true, attempts: 1 }))) => {
          resolve(outcomes);
        },
        fail: reject,
      });
    });
  const sink: Sink = {
    uri: 'held:',
    limits,
    leaseUri: undefined,
    inspect: () => Promise.resolve(undefined),
    prepare: (wanted) => Promise.resolve(wanted),
    sizeOf: (row) => row.text.length,
    write,
    removeRows: () => Promise.resolve(0),
    get: () => Promise.resolve([]),
    async *facts() {
      await Promise.resolve();
      yield* [];
    },
    finish: () => Promise.resolve(),
    async *scan() {
      await Promise.resolve();
      yield* [];
    },
    close: () => Promise.resolve(),
  };
  return { sink, calls };
}

const row = (id: string, bytes = 1): Row => ({
  id,
  text: 'x'.repeat(bytes),
  vector: new Float32Array(1),
  metadata: { source: '', key: '', etag: '', last_modified: '', chunk: 0, chunks: 1, start: 0, end: bytes },
  embatch: { id, object: '', version: '', fingerprint: '' },
});

const ignore = (): void => undefined;

test('rows are written together up to the limit of rows', async () => {
  const { sink, calls } = heldSink({ maxRows: 2, maxBytes: 1000, concurrency: 4 });
  const writer = createRowWriter(sink);
  for (const id of ['a', 'b', 'c']) await writer.add(row(id), ignore);
  const flushed = writer.flush();
  assert.deepEqual(
    calls.map(({ ids }) => ids),
    [['a', 'b'], ['c']],
  );
  for (const call of calls) call.answer();
  await flushed;
});

test('rows are written together up to the limit of bytes, and a larger row goes alone', async () => {
  const { sink, calls } = heldSink({ maxRows: 100, maxBytes: 10, concurrency: 9 });
  const writer = createRowWriter(sink);
  for (const [id, bytes] of [
    ['a', 6],
    ['b', 4],
    ['c', 1],
    ['d', 50],
    ['e', 1],
  ] as const) {
    await writer.add(row(id, bytes), ignore);
  }
  const flushed = writer.flush();
  assert.deepEqual(
    calls.map(({ ids }) => ids),
    [['a', 'b'], ['c'], ['d'], ['e']],
  );
  for (const call of calls) call.answer();
  await flushed;
});

test('a sink that does not answer holds the pipeline back', async () => {
  const { sink, calls } = heldSink({ maxRows: 1, maxBytes: 1000, concurrency: 2 });
  const writer = createRowWriter(sink);
  await writer.add(row('a'), ignore);
  await writer.add(row('b'), ignore);
  const added: string[] = [];
  const third = writer.add(row('c'), ignore).then(() => added.push('c'));
  await new Promise(setImmediate);
  assert.deepEqual([calls.length, added, writer.blocked], [2, [], true]);
  calls[0]?.answer();
  await third;
  assert.ok(!writer.blocked);
  const flushed = writer.flush();
  calls[1]?.answer();
  calls[2]?.answer();
  await flushed;
});

test('every row gets the outcome that the sink gave for it', async () => {
  const { sink, calls } = heldSink({ maxRows: 2, maxBytes: 1000, concurrency: 1 });
  const writer = createRowWriter(sink);
  const outcomes: Record<string, WriteOutcome> = {};
  for (const id of ['a', 'b']) {
    await writer.add(row(id), (outcome) => {
      outcomes[id] = outcome;
    });
  }
  calls[0]?.answer([
    { ok: true, attempts: 1 },
    { ok: false, attempts: 3, reason: 'refused' },
  ]);
  await writer.flush();
  assert.deepEqual(outcomes, {
    a: { ok: true, attempts: 1 },
    b: { ok: false, attempts: 3, reason: 'refused' },
  });
});

test('a sink that failed is not written to again, and its error comes out of add and flush', async () => {
  const { sink, calls } = heldSink({ maxRows: 1, maxBytes: 1000, concurrency: 1 });
  const writer = createRowWriter(sink);
  await writer.add(row('a'), ignore);
  calls[0]?.fail(new Error('gone'));
  await new Promise(setImmediate);
  await assert.rejects(writer.add(row('b'), ignore), /gone/);
  await assert.rejects(writer.flush(), /gone/);
  assert.equal(calls.length, 1);
});
