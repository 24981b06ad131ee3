import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { describeError, isEmbatchError } from '#embatch/core/errors.js';
import { createTestStore, ID, MAIN, setEnvironment, tinyBert, type TestStore } from './support.js';

const REF = `hf:${ID}`;
const TOKEN = 'hf_abcdefghij';

async function guarded(t: TestContext, kind: 'private' | 'gated'): Promise<TestStore> {
  const store = await createTestStore(t);
  store.hub.models[ID] = {
    refs: { main: MAIN },
    commits: { [MAIN]: await tinyBert() },
    access: { token: TOKEN, kind },
  };
  return store;
}

/** The message, and all that is logged, without the token. */
async function failure(store: TestStore, ref = REF): Promise<string> {
  const error: unknown = await store.pull(ref).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(isEmbatchError(error, 'MODEL') || isEmbatchError(error, 'USAGE'), String(error));
  const all = [error.message, error.stack, describeError(error.cause), ...store.log.lines].join('\n');
  assert.ok(!all.includes(TOKEN), 'the token is shown');
  return error.message;
}

test('the token goes to the endpoint with every request, and to no host that it redirects to', async (t) => {
  const store = await guarded(t, 'private');
  setEnvironment(t, { HF_TOKEN: TOKEN });
  await store.pull(REF);
  const sent = (host: string): (string | undefined)[] => [
    ...new Set(
      store.hub.requests.filter((seen) => seen.host === host).map(({ headers }) => headers.authorization),
    ),
  ];
  assert.deepEqual(sent('hub'), [`Bearer ${TOKEN}`]);
  assert.deepEqual(sent('cdn'), [undefined]);
  assert.ok(!store.log.lines.join('\n').includes(TOKEN));
});

test('a signed address of the storage host is in no message', async (t) => {
  const store = await createTestStore(t);
  store.hub.add({ fault: { kind: 'respond', status: 500 }, when: ({ host }) => host === 'cdn' });
  const message = await failure(store);
  assert.match(message, /HTTP 500/);
  assert.ok(!`${message}\n${store.log.lines.join('\n')}`.includes('secret-signature'));
});

for (const [name, prepare] of [
  ['in HF_TOKEN', () => ({ HF_TOKEN: `${TOKEN}\n` })],
  [
    'in the file of `hf auth login`',
    async (home: string) => {
      await writeFile(join(home, 'token'), `${TOKEN}\n`);
      return {};
    },
  ],
  [
    'in the file that HF_TOKEN_PATH names',
    async (home: string) => {
      await writeFile(join(home, 'other'), TOKEN);
      return { HF_TOKEN_PATH: join(home, 'other') };
    },
  ],
] as const) {
  test(`a token is found ${name}`, async (t) => {
    const store = await guarded(t, 'gated');
    setEnvironment(t, await prepare(store.home));
    assert.equal((await store.pull(REF)).revision, MAIN);
  });
}

test('HF_HUB_DISABLE_IMPLICIT_TOKEN keeps the token back', async (t) => {
  const store = await createTestStore(t);
  setEnvironment(t, { HF_TOKEN: TOKEN, HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' });
  await store.pull(REF);
  assert.ok(store.hub.requests.every(({ headers }) => headers.authorization === undefined));
});

test('refusals say what they mean and what to do', async (t) => {
  await t.test('a private model without a token', async (t) => {
    assert.match(await failure(await guarded(t, 'private')), /no model acme\/tiny-bert.*private.*HF_TOKEN/);
  });
  await t.test('a private model with another token', async (t) => {
    const store = await guarded(t, 'private');
    setEnvironment(t, { HF_TOKEN: 'hf_other' });
    assert.match(await failure(store), /the token in use may not see it/);
  });
  await t.test('a gated model without a token', async (t) => {
    const store = await guarded(t, 'gated');
    assert.match(
      await failure(store),
      new RegExp(`gated.*conditions at ${store.hub.url}/${ID}, then set HF_TOKEN`),
    );
  });
  await t.test('a gated model with another token', async (t) => {
    const store = await guarded(t, 'gated');
    setEnvironment(t, { HF_TOKEN: 'hf_other' });
    assert.match(await failure(store), /gated.*the one in use has no access/);
  });
  await t.test('a model that is not there', async (t) => {
    assert.match(
      await failure(await createTestStore(t), 'hf:acme/none'),
      /no model acme\/none at revision main/,
    );
  });
  await t.test('a revision that is not there', async (t) => {
    assert.match(
      await failure(await createTestStore(t), `${REF}@v9`),
      /no revision "v9".*hf:acme\/tiny-bert@main/,
    );
  });
  await t.test('a commit that is not there', async (t) => {
    const commit = 'f'.repeat(40);
    assert.match(
      await failure(await createTestStore(t), `${REF}@${commit}`),
      new RegExp(`no revision "${commit}"`),
    );
  });
  await t.test('a token that is none, without showing it', async (t) => {
    const store = await createTestStore(t);
    setEnvironment(t, { HF_TOKEN: `${TOKEN}\n${TOKEN}` });
    assert.match(await failure(store), /HF_TOKEN holds characters/);
  });
  for (const endpoint of ['huggingface.co', 'ftp://hub', 'https://user:pass@hub']) {
    await t.test(`an endpoint ${endpoint}`, async (t) => {
      const store = await createTestStore(t);
      setEnvironment(t, { HF_ENDPOINT: endpoint });
      const message = await failure(store);
      assert.match(message, /HF_ENDPOINT must be a URL/);
      assert.ok(!message.includes('pass@'));
    });
  }
});

for (const path of [
  '../evil.json',
  '/etc/evil.json',
  'a/../../evil.json',
  'a//b.json',
  '..\\evil.json',
  'C:evil.json',
]) {
  test(`a hub that lists ${path} is not trusted: nothing is written`, async (t) => {
    const { hub, pull, home, folder } = await createTestStore(t);
    hub.models[ID] = { refs: { main: MAIN }, commits: { [MAIN]: { ...(await tinyBert()), [path]: '{}' } } };
    await assert.rejects(pull(REF), {
      code: 'MODEL',
      message: /lists a file .*evil\.json|lists a file .*b\.json/,
    });
    assert.deepEqual(await readdir(folder).catch(() => []), []);
    assert.deepEqual(await readdir(home), []);
  });
}

test('a hub that names a commit which is a path is not trusted', async (t) => {
  const { hub, pull } = await createTestStore(t);
  hub.models[ID] = { refs: { main: '../../evil' }, commits: { '../../evil': await tinyBert() } };
  await assert.rejects(pull(REF), { code: 'MODEL', message: /no commit/ });
});
