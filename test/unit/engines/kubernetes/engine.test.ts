import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { Options } from '#embatch/core/options.js';
import type { Engine, Fleet } from '#embatch/engines/engine.js';
import { createKubernetesEngine } from '#embatch/engines/kubernetes/engine.js';
import { defaultOptions } from '../../../support/default-options.js';
import { recordingLogger } from '../../../support/recording-logger.js';
import { tempFolder, writeFiles } from '../../../support/temp-folder.js';

const fleet: Fleet = {
  name: 'docs-a1',
  shards: 2,
  arguments: ['run'],
  environment: {},
  labels: { source: 's', sink: 'k', state: 't' },
};

function engineWith(given: Partial<Options>, environment: Record<string, string> = {}): Promise<Engine> {
  return createKubernetesEngine(defaultOptions({ image: 'registry/embatch:1', ...given }), {
    log: recordingLogger(),
    environment: { HOME: '/nonexistent', ...environment },
  });
}

const kubeconfig = (
  server: string,
  { context = 'here', namespace = 'docs', cluster = ', insecure-skip-tls-verify: true' } = {},
) => `apiVersion: v1
kind: Config
current-context: ${context}
contexts: [{ name: ${context}, context: { cluster: ${context}, user: ${context}, namespace: ${namespace} } }]
clusters: [{ name: ${context}, cluster: { server: '${server}'${cluster} } }]
users: [{ name: ${context}, user: { token: secret } }]
`;

describe('options of the engine', () => {
  for (const [what, given, message] of [
    ['no image', { image: undefined }, /^submit kubernetes needs --image: /],
    ['an image with a space', { image: 'embatch 1' }, /^--image "embatch 1" is no reference of an image/],
    ['an image that is a URL', { image: ' https://r/e' }, /^--image " https:\/\/r\/e" is no reference/],
    ['a namespace in capitals', { namespace: 'Docs' }, /^--namespace "Docs" is no name of Kubernetes: /],
    ['a namespace with a dot', { namespace: 'do.cs' }, /^--namespace "do\.cs" is no name/],
    ['a namespace too long', { namespace: 'x'.repeat(64) }, /at most 63/],
    ['a service account', { serviceAccount: 'a_b' }, /^--service-account "a_b" is no name of Kubernetes: /],
    ['a secret', { secrets: ['fine', '-x'] }, /^--secrets "-x" is no name of Kubernetes: /],
    ['CPUs', { cpu: 'many' }, /^--cpu many is no number of CPUs/],
    ['memory', { memory: '4' }, /^--memory 4 is 4 bytes, less than the 128MiB/],
    ['a schedule', { schedule: 'nightly' }, /^--schedule "nightly" is no schedule/],
    ['a schedule to wait for', { schedule: '@daily', wait: true }, /^--wait follows a fleet to its end/],
  ] as const) {
    test(`${what}: refused`, async () => {
      await assert.rejects(engineWith(given), { code: 'USAGE', message });
    });
  }

  test('more shards than a Job has indexes are refused, as are values that no variable holds', async () => {
    const engine = await engineWith({});
    assert.throws(() => engine.requests({ ...fleet, shards: 100_001 }), {
      code: 'USAGE',
      message: '--shards 100001 is more than the 100000 indexes of a Kubernetes Job; take fewer.',
    });
    assert.equal(engine.maxShards, 100_000);
    assert.equal(engine.refusesValue('x'.repeat(122_880)), undefined);
    assert.equal(engine.refusesValue('ä'.repeat(61_441)), 'longer than 122880 bytes');
    assert.equal(engine.refusesValue('a\0b'), 'with a NUL character');
  });
});

describe('where the cluster is', () => {
  test('by KUBECONFIG, whose first file with a context decides, else by ~/.kube/config', async (t) => {
    const folder = await tempFolder(t);
    await writeFiles(folder, {
      '.kube/config': kubeconfig('https://home:6443'),
      a: kubeconfig('https://a:6443', { context: 'a', namespace: 'one' }),
      b: kubeconfig('https://b:6443', { context: 'b', namespace: 'two' }),
    });
    const files = ['none', 'a', 'b'].map((name) => join(folder, name)).join(':');
    for (const [environment, given, place] of [
      [{}, {}, 'namespace docs of https://home:6443'],
      [{ KUBECONFIG: files }, {}, 'namespace one of https://a:6443'],
      [{ KUBECONFIG: files }, { namespace: 'mine' }, 'namespace mine of https://a:6443'],
    ] as const) {
      assert.equal((await engineWith(given, { HOME: folder, ...environment })).place, place);
    }
  });

  test('a file that is no kubeconfig is named', async (t) => {
    const folder = await tempFolder(t);
    const file = join(folder, 'config');
    await writeFiles(folder, { config: 'contexts: [' });
    await assert.rejects(engineWith({}, { KUBECONFIG: file }), {
      code: 'USAGE',
      message: new RegExp(`^the kubeconfig ${file} cannot be read: `),
    });
    await writeFiles(folder, { config: 'apiVersion: v1\nkind: Config\n' });
    await assert.rejects(engineWith({}, { KUBECONFIG: file }), {
      code: 'USAGE',
      message: new RegExp(`^the kubeconfig ${file} has no current context with a cluster`),
    });
  });

  test('without any the manifest can be printed, and nothing else', async () => {
    const engine = await engineWith({});
    assert.equal(engine.place, 'namespace default of a cluster that no kubeconfig names');
    assert.equal(engine.requests(fleet).length, 1);
    const wanted = { code: 'ENGINE', message: /^no Kubernetes cluster to submit to: / };
    await assert.rejects(engine.submit(fleet), wanted);
    await assert.rejects(engine.state({ ...fleet, handle: undefined }), wanted);
  });

  test('a cluster that is not there is named', async (t) => {
    const folder = await tempFolder(t);
    const port = await freePort();
    await writeFiles(folder, { config: kubeconfig(`http://127.0.0.1:${port}`) });
    const engine = await engineWith({}, { KUBECONFIG: join(folder, 'config') });
    await assert.rejects(engine.submit(fleet), {
      code: 'ENGINE',
      message: new RegExp(
        `^cannot submit Job docs-a1 in namespace docs: http://127\\.0\\.0\\.1:${port} cannot be reached: .*ECONNREFUSED`,
      ),
    });
  });

  test('a kubeconfig that names what is not there is not taken for a cluster that is not there', async (t) => {
    const folder = await tempFolder(t);
    const cluster = ', certificate-authority: missing.crt';
    await writeFiles(folder, { config: kubeconfig('https://127.0.0.1:1', { cluster }) });
    const engine = await engineWith({}, { KUBECONFIG: join(folder, 'config') });
    await assert.rejects(engine.submit(fleet), {
      code: 'USAGE',
      message: /the kubeconfig of https:\/\/127\.0\.0\.1:1 cannot be used: .*missing\.crt/,
    });
  });

  test('logs are a line for kubectl, where the fleet was sent', async () => {
    const engine = await engineWith({ namespace: 'now' });
    const command = (namespace: string) =>
      `kubectl logs --namespace ${namespace} --selector app.kubernetes.io/instance=docs-a1 --prefix --tail=-1`;
    assert.equal(engine.logsOf({ ...fleet, handle: undefined }), command('now'));
    assert.equal(engine.logsOf({ ...fleet, handle: 'namespaces/then/jobs/docs-a1' }), command('then'));
  });
});

/** Faults that a real API server does not have to order; what it does without them is proved in test/kubernetes. */
describe('an API server in trouble', () => {
  test('a dry run is asked again after 503, and the Job is created once', async (t) => {
    const asked: string[] = [];
    const engine = await engineAt(t, (request, response) => {
      asked.push(`${request.method ?? ''} ${request.url?.includes('dryRun=All') === true ? 'dry' : 'wet'}`);
      answer(response, asked.length === 1 ? 503 : 201, asked.length === 1 ? 'starting up' : {});
    });
    await engine.submit(fleet);
    assert.deepEqual(asked, ['POST dry', 'POST dry', 'POST wet']);
  });

  test('where the answer to the creation is lost, the cluster is asked whether it was carried out', async (t) => {
    for (const [isThere, wanted] of [
      [true, undefined],
      [false, /^cannot create Job docs-a1 in namespace docs: .* cannot be reached/],
    ] as const) {
      const engine = await engineAt(t, (request, response) => {
        if (request.method === 'GET') answer(response, isThere ? 200 : 404, {});
        else if (request.url?.includes('dryRun=All') === true) answer(response, 201, {});
        else request.destroy();
      });
      if (wanted === undefined) await engine.submit(fleet);
      else await assert.rejects(engine.submit(fleet), { code: 'ENGINE', message: wanted });
    }
  });

  test('where that cannot be asked either, it says that it does not know', async (t) => {
    const engine = await engineAt(t, (request, response) => {
      if (request.url?.includes('dryRun=All') === true) answer(response, 201, {});
      else request.destroy();
    });
    await assert.rejects(engine.submit(fleet), {
      code: 'ENGINE',
      message:
        /did not answer, and whether the Job docs-a1 was created is not known; look with kubectl get job docs-a1/,
    });
  });

  test('what an admission plug-in says is passed on', async (t) => {
    const engine = await engineAt(t, (_, response) =>
      answer(response, 403, {
        kind: 'Status',
        message: 'admission webhook "policy" denied the request: no owner',
      }),
    );
    await assert.rejects(engine.submit(fleet), {
      code: 'USAGE',
      message:
        'cannot submit Job docs-a1 in namespace docs: admission webhook "policy" denied the request: no owner.',
    });
  });

  test('a signal ends the waiting', async (t) => {
    const stop = new AbortController();
    const engine = await engineAt(t, () => stop.abort(new Error('stopped')));
    await assert.rejects(engine.submit(fleet, { signal: stop.signal }), { message: 'stopped' });
  });
});

async function engineAt(
  t: TestContext,
  respond: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Engine> {
  const server = createServer(respond).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const folder = await tempFolder(t);
  const { port } = server.address() as AddressInfo;
  await writeFiles(folder, { config: kubeconfig(`http://127.0.0.1:${port}`) });
  return engineWith({}, { KUBECONFIG: join(folder, 'config') });
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
