import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sha256, type HubFault, type SeenHubRequest } from '../../../support/hub-server.js';
import { eventually } from '../../../support/eventually.js';
import { unprivileged } from '../../../support/unprivileged.js';
import {
  createTestStore,
  deadEndpoint,
  ID,
  MAIN,
  setEnvironment,
  tinyBert,
  type TestStore,
} from './support.js';

const REF = `hf:${ID}`;
const ofGraph = ({ host }: SeenHubRequest): boolean => host === 'cdn';

/** What was asked for of the graph's content: the first byte of each request. */
function graphRanges({ hub }: TestStore): (string | undefined)[] {
  return hub.requests.filter(ofGraph).map(({ headers }) => headers.range);
}

async function assertGraph({ folder }: TestStore): Promise<void> {
  const graph = await readFile(join(folder, 'snapshots', MAIN, 'onnx/model.onnx'));
  assert.equal(sha256(graph), sha256((await tinyBert())['onnx/model.onnx'] ?? ''));
  assert.deepEqual(
    (await readdir(join(folder, 'blobs'))).filter((name) => name.includes('.')),
    [],
  );
}

/** Each is overcome by the pull that meets it. */
const passing: readonly {
  readonly name: string;
  readonly faults: readonly HubFault[];
  readonly ranges: readonly (string | undefined)[];
}[] = [
  {
    name: 'a download that is cut goes on where it stopped',
    faults: [
      { kind: 'cut', bytes: 40_000 },
      { kind: 'cut', bytes: 1_000 },
    ],
    ranges: [undefined, 'bytes=40000-', 'bytes=41000-'],
  },
  {
    name: 'a download that is cut goes on from the start where the host knows no ranges',
    faults: [{ kind: 'cut', bytes: 40_000 }, { kind: 'no-ranges' }],
    ranges: [undefined, 'bytes=40000-'],
  },
  {
    name: 'a host that is busy or down is asked again',
    faults: [
      { kind: 'respond', status: 503 },
      { kind: 'respond', status: 429, headers: { 'retry-after': '0' } },
      { kind: 'respond', status: 500 },
    ],
    ranges: [undefined, undefined, undefined, undefined],
  },
  {
    name: 'content that is wrong is fetched once more',
    faults: [{ kind: 'garble' }],
    ranges: [undefined, undefined],
  },
  {
    name: 'the rest of a cut download being wrong, all of it is fetched once more',
    faults: [{ kind: 'cut', bytes: 40_000 }, { kind: 'garble' }],
    ranges: [undefined, 'bytes=40000-', undefined],
  },
];

for (const { name, faults, ranges } of passing) {
  test(name, async (t) => {
    const store = await createTestStore(t);
    for (const fault of faults) store.hub.add({ fault, when: ofGraph, times: 1 });
    await store.pull(REF);
    await assertGraph(store);
    assert.deepEqual(graphRanges(store), ranges);
  });
}

test('a download that falls silent is given up and taken up again', async (t) => {
  const store = await createTestStore(t);
  setEnvironment(t, { HF_HUB_DOWNLOAD_TIMEOUT: '0.3' });
  store.hub.add({ fault: { kind: 'stall', bytes: 40_000 }, when: ofGraph, times: 1 });
  await store.pull(REF);
  await assertGraph(store);
  assert.deepEqual(graphRanges(store), [undefined, 'bytes=40000-']);
  assert.ok(store.log.lines.some((line) => /^warn .*silent for 0\.3 s/.test(line)));
});

test('a host that never answers is given up and asked again', async (t) => {
  const store = await createTestStore(t);
  setEnvironment(t, { HF_HUB_DOWNLOAD_TIMEOUT: '0.3' });
  store.hub.add({ fault: { kind: 'mute' }, when: ofGraph, times: 1 });
  await store.pull(REF);
  await assertGraph(store);
  assert.deepEqual(graphRanges(store), [undefined, undefined]);
});

test('a host that gives another range than it was asked for is not believed', async (t) => {
  const store = await createTestStore(t);
  store.hub.add({ fault: { kind: 'cut', bytes: 40_000 }, when: ofGraph, times: 1 });
  store.hub.add({ fault: { kind: 'other-range' }, when: ofGraph, times: 1 });
  await assert.rejects(store.pull(REF), { code: 'MODEL', message: /another range than it was asked for/ });
});

/** Each ends a pull; nothing of it is left that a later pull would trip over. */
const failing: readonly {
  readonly name: string;
  readonly fault: HubFault;
  readonly message: RegExp;
  readonly next: string | undefined;
}[] = [
  {
    name: 'a host that is always busy',
    fault: { kind: 'respond', status: 429 },
    message: /Cannot fetch onnx\/model\.onnx of acme\/tiny-bert from http.*HTTP 429.*Run again later/,
    next: undefined,
  },
  {
    name: 'a host that asks for more patience than there is',
    fault: { kind: 'respond', status: 503, headers: { 'retry-after': '86400' } },
    message: /HTTP 503 \(to be asked again in 86400 s\)/,
    next: undefined,
  },
  {
    name: 'a host that always gives other bytes',
    fault: { kind: 'garble' },
    message: /wrong content 2 times \(its SHA-256 is .* is right\)/,
    next: undefined,
  },
  {
    name: 'a host that gives something else altogether',
    fault: { kind: 'respond', status: 200, headers: { 'content-length': '0' } },
    message: /onnx\/model\.onnx .* has 100370 bytes, and what arrives for it 0: it is something else/,
    next: undefined,
  },
  {
    name: 'a download that never gets past a byte',
    fault: { kind: 'cut', bytes: 0 },
    message: /onnx\/model\.onnx .*broke off at byte 0 of \d+, again and again/,
    next: undefined,
  },
];

for (const { name, fault, message, next } of failing) {
  test(`${name} ends the pull with a reason, and the next one succeeds`, async (t) => {
    const store = await createTestStore(t);
    let broken = true;
    store.hub.add({ fault, when: (request) => broken && ofGraph(request) });
    await assert.rejects(store.pull(REF), { code: 'MODEL', message });
    broken = false;
    store.hub.requests.length = 0;
    const { files } = await store.pull(REF);
    await assertGraph(store);
    assert.deepEqual(graphRanges(store), [next]);
    assert.deepEqual(
      files.filter(({ fetched }) => fetched).map(({ path }) => path),
      ['onnx/model.onnx'],
    );
  });
}

test('a pull that is stopped leaves what arrived, and the next one goes on there', async (t) => {
  const store = await createTestStore(t);
  const stop = new AbortController();
  store.hub.add({ fault: { kind: 'stall', bytes: 40_000 }, when: ofGraph, times: 1 });
  const pulling = store.pull(REF, { signal: stop.signal });
  pulling.catch(() => undefined);
  await eventually('bytes of the graph', async () => (await partialBytes(store)) === 40_000);
  stop.abort(new Error('stopped by the user'));
  await assert.rejects(pulling, { message: 'stopped by the user' });
  await store.pull(REF);
  await assertGraph(store);
  assert.deepEqual(graphRanges(store), [undefined, 'bytes=40000-']);
});

test('what a killed process leaves is taken up', async (t) => {
  const store = await createTestStore(t);
  store.hub.add({ fault: { kind: 'stall', bytes: 40_000 }, when: ofGraph, times: 1 });
  const script = fileURLToPath(new URL('./puller.js', import.meta.url));
  const child = spawn(process.execPath, [script, REF], { env: process.env, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.on('close', resolve));
  await eventually('bytes of the graph', async () => (await partialBytes(store)) === 40_000);
  child.kill('SIGKILL');
  await ended;
  await store.pull(REF);
  await assertGraph(store);
  assert.deepEqual(graphRanges(store), [undefined, 'bytes=40000-']);
});

test('what a running process fetches is left alone', async (t) => {
  const store = await createTestStore(t);
  store.hub.add({ fault: { kind: 'stall', bytes: 40_000 }, when: ofGraph, times: 1 });
  const script = fileURLToPath(new URL('./puller.js', import.meta.url));
  const child = spawn(process.execPath, [script, REF], { env: process.env, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.on('close', resolve));
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  await eventually('bytes of the graph', async () => (await partialBytes(store)) === 40_000);
  await store.pull(REF);
  assert.deepEqual(graphRanges(store), [undefined, undefined]);
  assert.equal(await partialBytes(store), 40_000);
});

async function partialBytes({ folder }: TestStore): Promise<number> {
  const blobs = join(folder, 'blobs');
  const graph = sha256((await tinyBert())['onnx/model.onnx'] ?? '');
  const names = await readdir(blobs).catch(() => []);
  const name = names.find((candidate) => candidate.startsWith(`${graph}.`));
  return name === undefined ? 0 : (await readFile(join(blobs, name))).length;
}

test('an endpoint that nobody answers at is named', async (t) => {
  const { open } = await createTestStore(t);
  const endpoint = await deadEndpoint();
  setEnvironment(t, { HF_ENDPOINT: endpoint });
  await assert.rejects(open(REF), {
    code: 'MODEL',
    message: new RegExp(`from ${endpoint}: .*ECONNREFUSED.*HF_ENDPOINT`),
  });
});

test('an endpoint that is no hub is named', async (t) => {
  const { hub, open } = await createTestStore(t);
  hub.add({ fault: { kind: 'respond', status: 200 }, when: () => true });
  await assert.rejects(open(REF), {
    code: 'MODEL',
    message: /what is no JSON.*Is HF_ENDPOINT the address of a hub/,
  });
});

test('an endpoint that redirects in circles is named', async (t) => {
  const { hub, open } = await createTestStore(t);
  const headers = { location: `${hub.url}/again` };
  hub.add({ fault: { kind: 'respond', status: 307, headers }, when: () => true });
  await assert.rejects(open(REF), { code: 'MODEL', message: /redirects more than 10 times/ });
  assert.equal(hub.requests.length, 11);
});

test('a cache that may not be written to is named, with what to do', async (t) => {
  const { open, home } = await createTestStore(t);
  await mkdir(join(home, 'hub'));
  await chmod(home, 0o755);
  await unprivileged(home, async () => {
    await assert.rejects(open(REF), {
      code: 'MODEL',
      message: /Cannot write .*hub\/models--acme--tiny-bert.*permission denied.*HF_HOME/,
    });
  });
});

test('a cache that may not be written to serves what is in it', async (t) => {
  const { hub, open, pull, home } = await createTestStore(t);
  const pulled = await pull(REF);
  hub.requests.length = 0;
  await unprivileged(home, async () => {
    assert.equal((await open(REF)).folder, pulled.folder);
    assert.equal((await pull(REF)).bytesFetched, 0);
  });
  assert.deepEqual(hub.contentRequests(), []);
});
