/** Which requests are sent, against a node that is played; real ones are in test/services. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import type { BulkAnswer, BulkItem } from '#embatch/sinks/opensearch/bulk-answer.js';
import { createBulkWriter, type BulkWriter } from '#embatch/sinks/opensearch/bulk-writer.js';
import { createByteLimiter } from '#embatch/sinks/opensearch/byte-limiter.js';
import type { Clock } from '#embatch/sinks/opensearch/clock.js';
import { cut } from '#embatch/sinks/opensearch/cut.js';
import { RequestFailure } from '#embatch/sinks/opensearch/failure.js';
import type { Line } from '#embatch/sinks/opensearch/ndjson.js';
import { recordingLogger } from '../../../support/recording-logger.js';

function lines(count: number, bytes = 10): Line[] {
  return Array.from({ length: count }, (_, n) => {
    const id = `r${String(n).padStart(3, '0')}`;
    return { operation: 'index', id, bytes: Buffer.from(id.padEnd(bytes - 1) + '\n') };
  });
}

type Play = (id: string, request: number) => Omit<BulkItem, '_id'>;

const written = { status: 201 };
const busy = { status: 429, error: { type: 'rejected_execution_exception', reason: 'queue full' } };

interface Played {
  readonly writer: BulkWriter;
  /** Ids of each request. */
  readonly requests: string[][];
}

function played(
  play: Play,
  options: {
    maxBytes?: number;
    maxRows?: number;
    refuse?: (ids: string[]) => RequestFailure | undefined;
  } = {},
): Played {
  const requests: string[][] = [];
  const writer = createBulkWriter({
    uri: 'opensearch://host/docs',
    send: (body) => {
      const ids = body
        .toString()
        .split('\n')
        .filter(Boolean)
        .map((line) => line.trim());
      requests.push(ids);
      const refusal = options.refuse?.(ids);
      if (refusal !== undefined) return Promise.reject(refusal);
      return Promise.resolve({
        items: ids.map((id) => ({ index: { _id: id, ...play(id, requests.length) } })),
      });
    },
    limiter: createByteLimiter({ maxBytes: 1e7, maxRequests: 1 }),
    maxBytes: options.maxBytes ?? 1000,
    maxRows: options.maxRows ?? 100,
    pauses: { retryMs: 1, blockedMs: 1 },
    patienceMs: 60_000,
    log: recordingLogger(),
  });
  return { writer, requests };
}

describe('opensearch: bulk requests', () => {
  it('only the rows that were not taken are sent again', async () => {
    const { writer, requests } = played((id, request) => (request < 3 && /[13]$/.test(id) ? busy : written));
    const outcomes = await writer.write(lines(5));
    assert.deepEqual(requests, [
      ['r000', 'r001', 'r002', 'r003', 'r004'],
      ['r001', 'r003'],
      ['r001', 'r003'],
    ]);
    assert.deepEqual(
      outcomes.map(({ attempts }) => attempts),
      [1, 3, 1, 3, 1],
    );
  });

  it('outcomes stand in the order of the rows, whatever became of them', async () => {
    const bad = { status: 400, error: { type: 'mapper_parsing_exception', reason: 'no' } };
    const { writer } = played((id, request) =>
      id === 'r001' ? bad : id === 'r000' && request === 1 ? busy : written,
    );
    assert.deepEqual(await writer.write(lines(3)), [
      { ok: true, attempts: 2, unclear: false },
      { ok: false, attempts: 1, status: 400, reason: '400 mapper_parsing_exception: no' },
      { ok: true, attempts: 1, unclear: false },
    ]);
  });

  it('a request that is too large is halved until it passes, and the next ones are cut to what passed', async () => {
    const refuse = (ids: string[]): RequestFailure | undefined =>
      ids.length > 25 ? new RequestFailure('', '', { status: 413 }) : undefined;
    const { writer, requests } = played(() => written, { maxBytes: 1e6, refuse });
    const outcomes = await writer.write(lines(80, 10_000));
    assert.ok(outcomes.every(({ ok }) => ok));
    assert.deepEqual(
      requests.map((ids) => ids.length),
      [80, 40, 40, 20, 20, 20, 20],
    );
    requests.length = 0;
    await writer.write(lines(80, 10_000));
    assert.deepEqual(
      requests.map((ids) => ids.length),
      [20, 20, 20, 20],
    );
  });

  it('a request that keeps being refused for no stated size is tried in halves', async () => {
    const refuse = (ids: string[]): RequestFailure | undefined =>
      ids.length > 3 ? new RequestFailure('', 'Too Many Requests', { status: 429 }) : undefined;
    const { writer, requests } = played(() => written, { refuse });
    assert.ok((await writer.write(lines(6))).every(({ ok }) => ok));
    assert.deepEqual(
      requests.map((ids) => ids.length),
      [6, 6, 6, 6, 6, 3, 3],
    );
  });

  it('one row at fault among many is found by halving', async () => {
    const refuse = (ids: string[]): RequestFailure | undefined =>
      ids.includes('r005') ? new RequestFailure('x', 'bad row', { status: 400 }) : undefined;
    const { writer, requests } = played(() => written, { refuse });
    await writer.write(lines(1));
    const outcomes = await writer.write(lines(8));
    assert.deepEqual(
      outcomes.flatMap(({ ok }, n) => (ok ? [] : [n])),
      [5],
    );
    assert.ok(requests.length <= 8, `${requests.length} requests`);
  });

  it('answers in another order are not believed', async () => {
    const { writer } = played(() => written);
    const swapped = createBulkWriter({
      ...base(),
      send: () =>
        Promise.resolve({
          items: [{ index: { _id: 'r001', status: 201 } }, { index: { _id: 'r000', status: 201 } }],
        }),
    });
    await assert.rejects(swapped.write(lines(2)), (error) => isEmbatchError(error, 'SINK'));
    assert.ok((await writer.write(lines(2))).every(({ ok }) => ok));
  });

  it('an error of the sender itself is passed on', async () => {
    const bug = new TypeError('x');
    const broken = createBulkWriter({ ...base(), send: () => Promise.reject(bug) });
    await assert.rejects(broken.write(lines(2)), (error) => error === bug);
  });

  it('the first end ends the other writes that wait', async () => {
    let release: (failure: RequestFailure) => void = () => undefined;
    const writer = createBulkWriter({
      ...base(),
      send: () => new Promise((_resolve, reject) => (release = reject)),
    });
    const first = writer.write(lines(1));
    const second = writer.write(lines(1));
    const both = Promise.allSettled([first, second]);
    await new Promise((resolve) => setImmediate(resolve));
    release(new RequestFailure('security_exception', 'no', { status: 401 }));
    const [one, two] = await both;
    assert.ok(one.status === 'rejected' && two.status === 'rejected' && one.reason === two.reason);
  });

  it('time without writes does not count against the patience', async () => {
    let fail = false;
    const writer = createBulkWriter({
      ...base(),
      patienceMs: 40,
      send: (body) => {
        fail = !fail;
        if (fail) return Promise.reject(new RequestFailure('', '', { status: 503 }));
        return Promise.resolve({ items: [{ index: { _id: body.toString().trim(), status: 201 } }] });
      },
    });
    assert.deepEqual(await writer.write(lines(1)), [{ ok: true, attempts: 2, unclear: true }]);
    const idleUntil = performance.now() + 60;
    while (performance.now() < idleUntil) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(await writer.write(lines(1)), [{ ok: true, attempts: 2, unclear: true }]);
  });
});

/** A clock that jumps to the end of each wait. */
function playedClock(chance: number): Clock & { readonly pauses: number[] } {
  let time = 0;
  const pauses: number[] = [];
  return {
    pauses,
    now: () => time,
    random: () => chance,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      pauses.push(ms);
      const until = time + ms;
      await new Promise((resolve) => setImmediate(resolve));
      time = Math.max(time, until);
    },
  };
}

describe('opensearch: time and bytes of bulk requests', () => {
  const answerAll = (body: Buffer): BulkAnswer => ({
    items: body
      .toString()
      .split('\n')
      .filter(Boolean)
      .map((line) => ({ index: { _id: line.trim(), status: 201 } })),
  });
  const refusal = (status: number, retryAfterMs?: number): RequestFailure =>
    new RequestFailure('', 'later', { status, retryAfterMs });

  it('pauses grow with jitter, and go on growing when a request is cut', async () => {
    const clock = playedClock(0.5);
    let refused = 0;
    const writer = createBulkWriter({
      ...base(),
      clock,
      pauses: { retryMs: 100, blockedMs: 1 },
      send: (body) => (refused++ < 6 ? Promise.reject(refusal(429)) : Promise.resolve(answerAll(body))),
    });
    assert.ok((await writer.write(lines(2))).every(({ ok }) => ok));
    // The sixth is of one of the two halves; the other passes.
    assert.deepEqual(clock.pauses, [50, 100, 200, 400, 800, 1600]);
  });

  it('nothing at all is sent before the time that the cluster named', async () => {
    const clock = playedClock(0);
    const sentAt: number[] = [];
    const writer = createBulkWriter({
      ...base(),
      clock,
      limiter: createByteLimiter({ maxBytes: 1e7, maxRequests: 8 }),
      send(body) {
        sentAt.push(clock.now());
        return sentAt.length === 1 ? Promise.reject(refusal(503, 30_000)) : Promise.resolve(answerAll(body));
      },
    });
    const first = writer.write(lines(1));
    await new Promise((resolve) => setImmediate(resolve));
    const others = [writer.write(lines(1)), writer.write(lines(1))];
    await Promise.all([first, ...others]);
    assert.equal(sentAt.length, 4);
    assert.ok(
      sentAt.slice(1).every((at) => at >= 30_000),
      String(sentAt),
    );
  });

  it('a cluster that is stopped for minutes is asked ever more rarely, then given up', async () => {
    const clock = playedClock(1);
    let sent = 0;
    const writer = createBulkWriter({
      ...base(),
      clock,
      pauses: { retryMs: 250, blockedMs: 10_000 },
      patienceMs: 600_000,
      send() {
        sent++;
        return Promise.reject(new RequestFailure('ECONNREFUSED', 'nothing listens'));
      },
    });
    await assert.rejects(
      writer.write(lines(3)),
      (error) =>
        isEmbatchError(error, 'SINK') && error.retryable && error.message.includes('(--sink-patience)'),
    );
    assert.equal(clock.now(), 600_000);
    assert.ok(sent > 10 && sent < 40, `${sent} requests`);
  });

  it('bodies under way never hold more than the limit, which falls while the cluster refuses', async () => {
    const limiter = createByteLimiter({ maxBytes: 1_000_000, maxRequests: 8 });
    let alive = 0;
    let refused = 0;
    const sizes: number[] = [];
    const writer = createBulkWriter({
      ...base(),
      clock: playedClock(1),
      limiter,
      maxBytes: 250_000,
      maxRows: 1000,
      async send(body) {
        alive += body.length;
        sizes.push(body.length);
        assert.ok(alive <= 1_000_000, `${alive} bytes`);
        await new Promise((resolve) => setImmediate(resolve));
        alive -= body.length;
        if (refused++ < 40) throw refusal(429);
        return answerAll(body);
      },
    });
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => writer.write(lines(250, 1000))));
    assert.ok(outcomes.flat().every(({ ok }) => ok));
    assert.equal(Math.max(...sizes), 250_000);
    assert.ok(Math.min(...sizes) <= 64 * 1024, 'requests were cut to what may be under way');
    assert.ok(limiter.limit < 1_000_000);
  });
});

describe('opensearch: cutting rows into requests', () => {
  const sizes = (pieces: readonly (readonly unknown[])[]): number[] => pieces.map((piece) => piece.length);
  const rows = (...bytes: number[]): { line: Line }[] =>
    bytes.map((size) => ({ line: { operation: 'index', id: 'x', bytes: Buffer.alloc(size) } }));

  it('by bytes, by count, and large rows alone', () => {
    assert.deepEqual(cut([], 100, 10), []);
    assert.deepEqual(sizes(cut(rows(50, 50, 1), 100, 10)), [2, 1]);
    assert.deepEqual(sizes(cut(rows(1, 1, 1, 1, 1), 100, 2)), [2, 2, 1]);
    assert.deepEqual(sizes(cut(rows(10, 500, 10, 90, 1), 100, 10)), [1, 1, 2, 1]);
  });
});

function base(): Parameters<typeof createBulkWriter>[0] {
  return {
    uri: 'opensearch://host/docs',
    send: () => Promise.reject(new Error('not played')),
    limiter: createByteLimiter({ maxBytes: 1e7, maxRequests: 1 }),
    maxBytes: 1000,
    maxRows: 100,
    pauses: { retryMs: 1, blockedMs: 1 },
    patienceMs: 60_000,
    log: recordingLogger(),
  };
}
