/** Answers that a healthy node never gives, played by a proxy in front of a real one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import type { Row } from '#embatch/core/interfaces.js';
import { allRows, byId } from '../../conformance/sink-rows.js';
import { eventually } from '../../support/eventually.js';
import { faultProxyDuringTests, type Fault, type SeenRequest } from '../../support/fault-proxy.js';
import { openSearchUrl, skipWithoutOpenSearch } from '../../support/services.js';
import { startFront } from './front-server.js';
import { countOf, reasonOf, rowsOf, withSink } from './opensearch-support.js';

const isBulk = ({ url }: SeenRequest): boolean => url.includes('/_bulk');
const json = { 'content-type': 'application/json' };

function respond(status: number, body: unknown = '', headers: Record<string, string> = json): Fault {
  return { kind: 'respond', status, body: typeof body === 'string' ? body : JSON.stringify(body), headers };
}

function refusal(status: number, type: string, reason: string): Fault {
  return respond(status, { error: { type, reason, root_cause: [{ type, reason }] }, status });
}

describe('opensearch: requests that fail', { skip: skipWithoutOpenSearch }, () => {
  const proxy = faultProxyDuringTests(openSearchUrl, skipWithoutOpenSearch);

  const bulks = (): number => proxy.requests.filter(isBulk).length;

  const temporary: readonly (readonly [string, Fault])[] = [
    ['429', refusal(429, 'rejected_execution_exception', 'rejected execution of coordinating operation')],
    ['429 of a circuit breaker', refusal(429, 'circuit_breaking_exception', '[parent] Data too large')],
    [
      '502 of a proxy, with a page',
      respond(502, '<html><h1>Bad Gateway</h1></html>', { 'content-type': 'text/html' }),
    ],
    ['503', refusal(503, 'cluster_manager_not_discovered_exception', 'no cluster manager')],
    ['504, empty', respond(504)],
    ['500', refusal(500, 'exception', 'oops')],
    [
      '403 of the managed service that throttles',
      respond(403, { Message: 'Request throttled due to too many requests' }),
    ],
    ['403 of a cluster block', refusal(403, 'cluster_block_exception', 'blocked by: [FORBIDDEN/10/…]')],
    ['a connection reset before the answer', { kind: 'drop' }],
    ['an answer cut off after the rows were written', { kind: 'cut', bytes: 40 }],
    ['an answer that breaks off in its head', { kind: 'cut', bytes: 0 }],
    ['silence', { kind: 'stall', bytes: 10 }],
    ['a page that is no JSON', respond(200, '{"took":', json)],
  ];
  for (const [name, fault] of temporary) {
    it(`${name}: the request is repeated until it passes`, async () => {
      await withSink(proxy.url, { requestTimeoutMs: 2000 }, async ({ sink, index }) => {
        proxy.add({ when: isBulk, times: 3, fault });
        const outcomes = await sink.write(rowsOf(10));
        assert.deepEqual(outcomes.map(reasonOf).filter(Boolean), []);
        assert.ok(outcomes.every(({ attempts }) => attempts > 1));
        await sink.finish();
        assert.deepEqual(byId(await allRows(sink)), byId(rowsOf(10)));
        assert.equal(await countOf(openSearchUrl(), index), 10);
      });
    });
  }

  const final: readonly (readonly [string, Fault, RegExp])[] = [
    ['401', refusal(401, 'security_exception', 'Unauthorized'), /OPENSEARCH_USERNAME/],
    [
      '403',
      refusal(403, 'security_exception', 'no permissions for [indices:data/write/bulk]'),
      /no permissions for/,
    ],
    [
      '404 of something else',
      respond(404, 'not here', { 'content-type': 'text/plain' }),
      /answered 404 \(not here\)/,
    ],
    ['400 before anything was accepted', refusal(400, 'illegal_argument_exception', 'nonsense'), /nonsense/],
    [
      'a bulk answer without the rows',
      respond(200, { took: 1, errors: false, items: [] }),
      /does not list them/,
    ],
  ];
  for (const [name, fault, words] of final) {
    it(`${name}: ends the sink at once, in words`, async () => {
      await withSink(proxy.url, {}, async ({ sink }) => {
        proxy.add({ when: isBulk, fault });
        await assert.rejects(
          sink.write(rowsOf(10)),
          (error) => isEmbatchError(error, 'SINK') && words.test(error.message),
        );
        assert.equal(bulks(), 1);
      });
    });
  }

  it('a request that is refused for one of its rows is cut down to that row', async () => {
    await withSink(proxy.url, {}, async ({ sink, index }) => {
      await sink.write(rowsOf(1));
      const bad: Row = { ...rowsOf(1)[0], id: 'x'.repeat(600) } as Row;
      const rows = [...rowsOf(6), bad, ...rowsOf(9).slice(6)];
      const outcomes = await sink.write(rows);
      assert.deepEqual(
        outcomes.map(({ ok }) => ok),
        rows.map((row) => row !== bad),
      );
      assert.match(
        reasonOf(outcomes[6]),
        /^400 action_request_validation_exception: Validation Failed: 1: id \[xxx/,
      );
      assert.equal(await countOf(openSearchUrl(), index), 9);
    });
  });

  it('a node that is gone for a while is waited for', async () => {
    await withSink(proxy.url, { patienceMs: 20_000 }, async ({ sink, index, log }) => {
      proxy.add({ when: isBulk, times: 12, fault: { kind: 'drop' } });
      const outcomes = await sink.write(rowsOf(3));
      assert.ok(outcomes.every(({ ok }) => ok));
      assert.equal(await countOf(openSearchUrl(), index), 3);
      assert.deepEqual(
        log.lines.filter((line) => /^(warn|error)/.test(line)),
        [],
      );
    });
  });

  it('a node that stays gone ends the sink with what happened last', async () => {
    await withSink(proxy.url, { patienceMs: 150 }, async ({ sink }) => {
      proxy.add({ when: isBulk, fault: { kind: 'drop' } });
      await assert.rejects(
        sink.write(rowsOf(3)),
        (error) =>
          isEmbatchError(error, 'SINK') &&
          /accepted nothing for 150 ms.*breaks the connection/.test(error.message),
      );
    });
  });

  it('a signal ends a request that is under way', async () => {
    await withSink(proxy.url, {}, async ({ sink }) => {
      let release = (): void => undefined;
      const held = new Promise<void>((resolve) => (release = resolve));
      proxy.add({ when: isBulk, fault: { kind: 'hold', until: () => held } });
      const controller = new AbortController();
      const reason = new Error('enough');
      const written = sink.write(rowsOf(3), { signal: controller.signal });
      written.catch(() => undefined);
      await eventually('the request', () => bulks() === 1);
      controller.abort(reason);
      await assert.rejects(written, (error) => error === reason);
      release();
    });
  });

  it('requests at once are halved by an overload', async () => {
    await withSink(proxy.url, { concurrency: 8, maxRows: 1 }, async ({ sink }) => {
      let under = 0;
      let most = 0;
      const count = async (): Promise<void> => {
        most = Math.max(most, ++under);
        await new Promise((resolve) => setImmediate(resolve));
        under--;
      };
      proxy.add({ when: isBulk, times: 8, fault: refusal(429, 'rejected_execution_exception', 'full') });
      proxy.add({ when: isBulk, fault: { kind: 'hold', until: count } });
      const outcomes = await sink.write(rowsOf(24));
      assert.ok(outcomes.every(({ ok }) => ok));
      assert.ok(most <= 5, `${most} requests at once after an overload of 8`);
    });
  });

  it('scan and finish repeat what failed for a moment', async () => {
    await withSink(proxy.url, {}, async ({ sink }) => {
      await sink.write(rowsOf(10));
      for (const part of ['_refresh', '_search', 'point_in_time']) {
        const when = ({ method, url }: SeenRequest): boolean => method === 'POST' && url.includes(part);
        proxy.add({ when, times: 1, fault: respond(503) });
        proxy.add({ when, times: 1, fault: { kind: 'drop' } });
        proxy.add({ when, times: 1, fault: { kind: 'cut', bytes: 30 } });
      }
      await sink.finish();
      assert.deepEqual(byId(await allRows(sink)), byId(rowsOf(10)));
      assert.ok(proxy.requests.filter(({ fault }) => fault !== undefined).length >= 9);
    });
  });

  it('a refresh that missed a shard is repeated', async () => {
    await withSink(proxy.url, {}, async ({ sink }) => {
      await sink.write(rowsOf(3));
      const isRefresh = ({ url }: SeenRequest): boolean => url.includes('/_refresh');
      const missed = respond(200, { _shards: { total: 2, successful: 1, failed: 1 } });
      proxy.add({ when: isRefresh, times: 2, fault: missed });
      await sink.finish();
      assert.equal(proxy.requests.filter(isRefresh).length, 3);
    });
  });

  it('a snapshot that expired under a slow reader is replaced', async () => {
    await withSink(proxy.url, {}, async ({ sink }) => {
      const rows = rowsOf(3000);
      for (let start = 0; start < rows.length; start += 1000)
        await sink.write(rows.slice(start, start + 1000));
      await sink.finish();
      const got: Row[] = [];
      for await (const row of sink.scan()) {
        if (got.push(row) !== 1) continue;
        const isPage = ({ method, url }: SeenRequest): boolean =>
          method === 'POST' && url.startsWith('/_search');
        proxy.add({
          when: isPage,
          times: 1,
          fault: refusal(404, 'search_context_missing_exception', 'No search context'),
        });
      }
      assert.deepEqual(byId(got), byId(rows));
      assert.ok(proxy.requests.some(({ fault }) => fault === 'respond'));
    });
  });

  it('an error after the answer began is not printed to stdout, which is for results', async (t) => {
    let left = 3;
    const front = await startFront({
      upstream: openSearchUrl(),
      hangUp: ({ url }) => (url?.includes('/_bulk') === true && left-- > 0 ? 'midway' : undefined),
    });
    // How the client reports it (3.9.0, lib/Connection.js).
    const printed = t.mock.method(console, 'log', () => undefined);
    try {
      await withSink(front.url, {}, async ({ sink, log }) => {
        assert.deepEqual(await sink.write(rowsOf(1)), [{ ok: true, attempts: 4 }]);
        assert.deepEqual(printed.mock.calls, []);
        const late = log.lines.filter((line) => line === 'debug connection error after the response began');
        assert.equal(late.length, 3);
      });
    } finally {
      await front.close();
    }
  });

  it('a server that answers early and resets does not end the process', async () => {
    let left = 6;
    const front = await startFront({
      upstream: openSearchUrl(),
      hangUp: ({ url }) => (url?.includes('/_bulk') === true && left-- > 0 ? 'early' : undefined),
    });
    try {
      await withSink(front.url, {}, async ({ sink }) => {
        const rows = rowsOf(40).map((row) => ({ ...row, text: 'word '.repeat(20_000) }));
        assert.ok((await sink.write(rows)).every(({ ok }) => ok));
      });
    } finally {
      await front.close();
    }
  });
});
