import assert from 'node:assert/strict';
import { lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { folderFiles } from '#embatch/embed/store/snapshot-files.js';
import { gitId, sha256 } from '../../../support/hub-server.js';
import {
  commitOf,
  createTestStore,
  deadEndpoint,
  ID,
  MAIN,
  neededFiles,
  setEnvironment,
  tinyBert,
} from './support.js';

const REF = `hf:${ID}`;

/** Every file of a snapshot is the hub's, and its blob is named as the Python tools name it. */
async function assertSnapshot(folder: string, paths: readonly string[]): Promise<void> {
  const original = await tinyBert();
  const snapshot = join(folder, 'snapshots', MAIN);
  assert.deepEqual((await folderFiles(snapshot)).map(({ path }) => path).sort(), [...paths].sort());
  for (const path of paths) {
    const content = original[path] ?? '';
    assert.deepEqual(await readFile(join(snapshot, path)), Buffer.from(content), path);
    const hash = path.endsWith('.onnx') ? sha256(content) : gitId(content);
    const up = '../'.repeat(path.split('/').length + 1);
    assert.equal(await readlink(join(snapshot, path)), `${up}blobs/${hash}`);
  }
  assert.deepEqual(
    (await readdir(join(folder, 'blobs'))).filter((name) => name.includes('.')),
    [],
    'nothing half is left',
  );
}

test('a pull brings what a run needs, and no more, into the layout of the hub tools', async (t) => {
  const { pull, folder, log } = await createTestStore(t);
  const pulled = await pull(REF);
  assert.deepEqual(
    { id: pulled.id, revision: pulled.revision, folder: pulled.folder },
    { id: ID, revision: MAIN, folder: join(folder, 'snapshots', MAIN) },
  );
  await assertSnapshot(folder, neededFiles);
  assert.equal(await readFile(join(folder, 'refs', 'main'), 'utf8'), MAIN);
  const bytes = pulled.files.reduce((sum, { size }) => sum + size, 0);
  assert.deepEqual([pulled.bytesFetched, pulled.bytesReused], [bytes, 0]);
  assert.ok(
    log.lines.some((line) => /^info Fetching .* from http:.*\d+ KB \(onnx\/model\.onnx: .*fp32/.test(line)),
    log.lines.join('\n'),
  );
});

test('a second pull asks for the commit and fetches no content', async (t) => {
  const { hub, pull } = await createTestStore(t);
  const first = await pull(REF);
  hub.requests.length = 0;
  const second = await pull(REF);
  assert.deepEqual(
    hub.requests.map(({ url }) => url),
    [`/api/models/${ID}/revision/main`],
  );
  assert.deepEqual([second.bytesFetched, second.bytesReused], [0, first.bytesFetched]);
});

test('opening fetches what is not there and then asks the hub nothing, even when the branch moves on', async (t) => {
  const { hub, open, pull, log } = await createTestStore(t);
  const first = await open(REF);
  assert.ok(log.lines.some((line) => line.startsWith('info Fetching')));
  const later = commitOf('later');
  hub.models[ID] = {
    refs: { main: later },
    commits: { ...hub.models[ID]?.commits, [later]: { ...(await tinyBert()), 'README.md': '# tiny, again' } },
  };
  hub.requests.length = 0;
  assert.deepEqual(await open(REF), first);
  assert.deepEqual(hub.requests, []);
  // A pull is what moves it; equal contents are not fetched again.
  const moved = await pull(REF);
  assert.equal(moved.revision, later);
  assert.deepEqual(
    moved.files.filter(({ fetched }) => fetched).map(({ path }) => path),
    ['README.md'],
  );
  assert.equal((await open(REF)).revision, later);
  assert.equal((await open(`${REF}@${MAIN}`)).revision, MAIN);
});

for (const [what, revision] of [
  ['branch with a slash', 'refs/pr/1'],
  ['tag', 'v1.0'],
  ['commit', MAIN],
] as const) {
  test(`a ${what} is a revision`, async (t) => {
    const { hub, pull, open, folder } = await createTestStore(t);
    hub.models[ID] = { refs: { [revision]: MAIN }, commits: { [MAIN]: await tinyBert() } };
    assert.equal((await pull(`${REF}@${revision}`)).revision, MAIN);
    hub.requests.length = 0;
    assert.equal((await open(`${REF}@${revision}`)).folder, join(folder, 'snapshots', MAIN));
    assert.deepEqual(hub.requests, []);
  });
}

test('the tree is read over all its pages', async (t) => {
  const { hub, pull, folder } = await createTestStore(t);
  hub.pageSize = 2;
  await pull(REF);
  await assertSnapshot(folder, neededFiles);
  assert.ok(hub.requests.filter(({ url }) => url.includes('/tree/')).length > 5);
});

test('another precision fetches only the other graph', async (t) => {
  const { hub, pull } = await createTestStore(t);
  const graph = (await tinyBert())['onnx/model.onnx'] ?? '';
  hub.models[ID] = {
    refs: { main: MAIN },
    commits: {
      [MAIN]: {
        ...(await tinyBert()),
        'onnx/model_quantized.onnx': Buffer.concat([Buffer.from(graph), Buffer.of(0x28, 0)]),
      },
    },
  };
  await pull(REF);
  const second = await pull(REF, { precision: 'int8' });
  assert.deepEqual(
    second.files.filter(({ fetched }) => fetched).map(({ path }) => path),
    ['onnx/model_quantized.onnx'],
  );
});

/** What `huggingface_hub` leaves: blobs, links, a ref; the list of files only in its newer versions. */
async function writePythonCache(folder: string, skip: readonly string[] = []): Promise<void> {
  const files = await tinyBert();
  for (const path of neededFiles.filter((name) => !skip.includes(name))) {
    const content = files[path] ?? '';
    const hash = path.endsWith('.onnx') ? sha256(content) : gitId(content);
    const blob = join(folder, 'blobs', hash);
    const pointer = join(folder, 'snapshots', MAIN, path);
    await mkdir(dirname(blob), { recursive: true });
    await mkdir(dirname(pointer), { recursive: true });
    await writeFile(blob, content);
    await symlink(`${'../'.repeat(path.split('/').length + 1)}blobs/${hash}`, pointer);
  }
  await mkdir(join(folder, 'refs'), { recursive: true });
  await writeFile(join(folder, 'refs', 'main'), MAIN);
}

test('a cache that Python filled is used: only the list of files is asked for', async (t) => {
  const { hub, open, folder } = await createTestStore(t);
  await writePythonCache(folder);
  assert.equal((await open(REF)).folder, join(folder, 'snapshots', MAIN));
  assert.deepEqual(hub.contentRequests(), []);
});

test('what Python did not fetch is fetched, and what it did is not', async (t) => {
  const { hub, open, folder } = await createTestStore(t);
  await writePythonCache(folder, ['modules.json', '1_Pooling/config.json']);
  await open(REF);
  await assertSnapshot(folder, neededFiles);
  assert.deepEqual(
    hub.contentRequests().map(({ url }) => url.split('/').slice(5).join('/')),
    ['modules.json', '1_Pooling/config.json'],
  );
});

async function offline(t: TestContext): Promise<Awaited<ReturnType<typeof createTestStore>>> {
  const store = await createTestStore(t);
  setEnvironment(t, { HF_HUB_OFFLINE: 'yes' });
  return store;
}

test('offline, a cache that Python filled is used with a warning that nothing lists its files', async (t) => {
  const { hub, open, pull, folder, log } = await offline(t);
  await writePythonCache(folder);
  assert.equal((await open(REF)).revision, MAIN);
  assert.ok(log.lines.some((line) => /^warn .*unchecked/.test(line)));
  assert.equal((await pull(REF)).bytesFetched, 0);
  assert.deepEqual(hub.requests, []);
});

for (const path of [
  'modules.json',
  '1_Pooling/config.json',
  'tokenizer.json',
  'config.json',
  'onnx/model.onnx',
]) {
  test(`offline, a cache that lacks ${path} is refused, naming it and what to do`, async (t) => {
    const { hub, open, folder } = await offline(t);
    await writePythonCache(folder, [path]);
    const shown = path.endsWith('.onnx') ? 'an ONNX file' : path;
    await assert.rejects(open(REF), {
      code: 'MODEL',
      message: new RegExp(`missing: ${shown.replaceAll('.', '\\.')}.*HF_HUB_OFFLINE.*models pull hf:${ID}`),
    });
    assert.deepEqual(hub.requests, []);
  });
}

test('offline, what was pulled is used without a word, and what was not is refused', async (t) => {
  const { hub, open, pull, log } = await createTestStore(t);
  await pull(REF);
  setEnvironment(t, { HF_HUB_OFFLINE: '1' });
  hub.requests.length = 0;
  log.lines.length = 0;
  assert.equal((await open(REF)).revision, MAIN);
  assert.deepEqual(log.lines, []);
  await assert.rejects(open(REF, { precision: 'int8' }), {
    code: 'MODEL',
    message: /missing: onnx\/model_quantized\.onnx/,
  });
  await assert.rejects(open(`${REF}@v2`), { code: 'MODEL', message: /nothing of it is there/ });
  assert.deepEqual(hub.requests, []);
});

test('a cache that was filled earlier serves while nobody answers at the endpoint', async (t) => {
  const { open, folder, log } = await createTestStore(t);
  await writePythonCache(folder);
  setEnvironment(t, { HF_ENDPOINT: await deadEndpoint() });
  assert.equal((await open(REF)).revision, MAIN);
  assert.ok(
    log.lines.some((line) => /^warn .*unchecked.*ECONNREFUSED/.test(line)),
    log.lines.join('\n'),
  );
});

test('names with spaces, signs and other scripts are asked for as they are', async (t) => {
  const { hub, pull } = await createTestStore(t);
  const strange = { 'größe 100% #1?.json': '{"a":1}', 'モデル.model': 'x' };
  hub.models[ID] = { refs: { main: MAIN }, commits: { [MAIN]: { ...(await tinyBert()), ...strange } } };
  const { folder } = await pull(REF);
  for (const [path, content] of Object.entries(strange)) {
    assert.equal(await readFile(join(folder, path), 'utf8'), content);
  }
});

test('a mirror without the revision route or hashes in the tree is understood by its headers', async (t) => {
  const { hub, pull, folder } = await createTestStore(t);
  hub.without.add('revision').add('hashes');
  assert.equal((await pull(REF)).revision, MAIN);
  await assertSnapshot(folder, neededFiles);
  assert.ok(hub.requests.filter(({ method }) => method === 'HEAD').every(({ host }) => host === 'hub'));
});

test('a damaged file of the cache is noticed by a pull and fetched again', async (t) => {
  const { pull, folder, log } = await createTestStore(t);
  await pull(REF);
  const blob = join(folder, 'blobs', sha256((await tinyBert())['onnx/model.onnx'] ?? ''));
  const bytes = await readFile(blob);
  bytes[1000] = (bytes[1000] ?? 0) ^ 1;
  await writeFile(blob, bytes);
  const again = await pull(REF);
  assert.deepEqual(
    again.files.filter(({ fetched }) => fetched).map(({ path }) => path),
    ['onnx/model.onnx'],
  );
  assert.ok(log.lines.some((line) => /^warn .*damaged \(its SHA-256/.test(line)));
  await assertSnapshot(folder, neededFiles);
});

test('two pulls at once into one cache both succeed', async (t) => {
  const { pull, folder } = await createTestStore(t);
  const both = await Promise.all([pull(REF), pull(REF)]);
  assert.deepEqual(
    both.map(({ revision }) => revision),
    [MAIN, MAIN],
  );
  await assertSnapshot(folder, neededFiles);
  assert.ok((await lstat(join(folder, 'refs', 'main'))).isFile());
});
