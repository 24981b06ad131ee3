/** What is not a Ray dashboard, or none of a version that is known, by servers in this process. */
import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createRayEngine } from '#embatch/engines/ray/engine.js';
import type { Engine } from '#embatch/engines/engine.js';
import { recordingLogger } from '../../../support/recording-logger.js';

const fleet = {
  name: 'docs',
  shards: 2,
  arguments: ['run'],
  environment: {},
  labels: { source: '', sink: '', state: '' },
};

async function engineAt(t: TestContext, address: string, requestTimeoutMs = 5000): Promise<Engine> {
  const engine = await createRayEngine(
    { address, entrypoint: undefined, cpu: '1', memory: undefined },
    { log: recordingLogger(), environment: { RAY_AUTH_TOKEN: 'the-token' } },
    { requestTimeoutMs, retryPauseMs: 1, submit: { pollMs: 1, takeBackMs: 50 } },
  );
  t.after(() => engine.close());
  return engine;
}

async function listen(t: TestContext, server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function serve(t: TestContext, handler: RequestListener): Promise<string> {
  const server = createServer(handler);
  t.after(() => server.closeAllConnections());
  return `http://127.0.0.1:${await listen(t, server)}`;
}

const answers: readonly (readonly [string, number, string, string, RegExp])[] = [
  ['a page', 200, '<html>hello</html>', 'USAGE', /is no Ray dashboard: HTTP 200 .*--address/],
  ['a JSON of somebody else', 200, '{"version":"1"}', 'USAGE', /is no Ray dashboard/],
  ['nothing at this path', 404, 'not found', 'USAGE', /is no Ray dashboard: HTTP 404/],
  ['a redirect to a login', 302, '', 'USAGE', /is no Ray dashboard: HTTP 302/],
  ['a gateway without a server', 502, 'bad gateway', 'ENGINE', /cannot be reached .* HTTP 502/],
  ['an old Ray', 200, '{"ray_version":"2.7.1"}', 'USAGE', /is version 2\.7\.1; 2\.8 or newer/],
  ['a refusal', 401, 'Unauthorized: no', 'USAGE', /does not let us in: Unauthorized: no \(HTTP 401\)/],
];

for (const [what, status, text, code, message] of answers) {
  test(`nothing is submitted to ${what}`, async (t) => {
    const methods: (string | undefined)[] = [];
    const address = await serve(t, (request, response) => {
      methods.push(request.method);
      response.writeHead(status).end(text);
    });
    await assert.rejects((await engineAt(t, address)).submit(fleet), { code, message });
    assert.ok(!methods.includes('POST'));
  });
}

test('a port that speaks another protocol is no dashboard', async (t) => {
  const port = await listen(
    t,
    net.createServer((socket) => socket.on('error', () => undefined).end('\u0000\u0000\u0012\u0004hello')),
  );
  await assert.rejects((await engineAt(t, `http://127.0.0.1:${port}`)).submit(fleet), {
    code: 'USAGE',
    message: /is no Ray dashboard: it speaks no HTTP/,
  });
});

test('https:// to a port without TLS says so', async (t) => {
  const address = await serve(t, (_, response) => response.end());
  await assert.rejects((await engineAt(t, address.replace('http:', 'https:'))).submit(fleet), {
    code: 'USAGE',
    message: /speaks no TLS; is http:\/\/ meant\?/,
  });
});

test('a cluster that is not there is named', async (t) => {
  const engine = await engineAt(t, 'http://127.0.0.1:1');
  await assert.rejects(engine.submit(fleet), {
    code: 'ENGINE',
    retryable: true,
    message: /cannot be reached at http:\/\/127\.0\.0\.1:1: .*ECONNREFUSED/,
  });
});

test('a server that never answers is given up', async (t) => {
  const address = await serve(t, () => undefined);
  await assert.rejects((await engineAt(t, address, 50)).submit(fleet), {
    code: 'ENGINE',
    message: /no answer within 0\.05 s/,
  });
});

test('a stop ends a request that waits', async (t) => {
  const address = await serve(t, () => stopped.abort(new Error('enough')));
  const stopped = new AbortController();
  await assert.rejects(
    (await engineAt(t, address)).state({ ...fleet, handle: undefined }, { signal: stopped.signal }),
    /enough/,
  );
});

test('no request looks like that of a browser, and each carries the token', async (t) => {
  const seen: Record<string, unknown>[] = [];
  const address = await serve(t, (request, response) => {
    seen.push(request.headers);
    response.writeHead(404).end('Job docs-s0 and docs-s1 do not exist');
  });
  await (await engineAt(t, address)).stop({ ...fleet, handle: undefined });
  assert.ok(seen.length >= 2);
  for (const headers of seen) {
    assert.equal(headers['authorization'], 'Bearer the-token');
    const names = Object.keys(headers);
    assert.deepEqual(
      names.filter((name) => /^(sec-|origin$|referer$|access-control)/.test(name)),
      [],
    );
    assert.doesNotMatch(String(headers['user-agent']), /Mozilla/);
  }
});
