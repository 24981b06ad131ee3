import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { projectRoot } from '../../support/paths.js';

type Build = (folder: string) => Promise<void>;

const module = pathToFileURL(join(projectRoot, 'scripts/services/cache.mjs')).href;
const { buildOnce } = (await import(module)) as {
  buildOnce: (name: string, proof: string, build: Build) => Promise<string>;
};

const home = mkdtempSync(join(tmpdir(), 'embatch-test-cache-'));
const cache = join(home, 'embatch-test');
const former = process.env['XDG_CACHE_HOME'];

before(() => {
  process.env['XDG_CACHE_HOME'] = home;
  mkdirSync(cache);
});
after(() => {
  if (former === undefined) delete process.env['XDG_CACHE_HOME'];
  else process.env['XDG_CACHE_HOME'] = former;
  rmSync(home, { recursive: true });
});

/** Counts its calls and leaves a file. */
function builder(): { build: Build; calls: () => number } {
  let calls = 0;
  const build: Build = (folder) => {
    calls += 1;
    writeFileSync(join(folder, 'content'), '');
    return Promise.resolve();
  };
  return { build, calls: () => calls };
}

test('several at once get the same folder, built once', async () => {
  const { build, calls } = builder();
  const folders = await Promise.all(['a', 'b', 'c'].map(() => buildOnce('once', 'ready', build)));
  assert.deepEqual(
    folders,
    Array.from({ length: 3 }, () => join(cache, 'once')),
  );
  assert.equal(calls(), 1);
  assert.deepEqual(readdirSync(join(cache, 'once')).sort(), ['content', 'ready']);
});

test('a finished folder is used as it is', async () => {
  mkdirSync(join(cache, 'finished'));
  writeFileSync(join(cache, 'finished/ready'), '');
  const { build, calls } = builder();
  await buildOnce('finished', 'ready', build);
  assert.equal(calls(), 0);
});

test('a half-built folder, a dead lock and an old draft do not stand in the way', async () => {
  mkdirSync(join(cache, 'half'));
  writeFileSync(join(cache, 'half/partial'), '');
  mkdirSync(join(cache, 'half.draft-1'));
  // No process has this number: Linux ends at 2^22.
  writeFileSync(join(cache, 'half.building'), String(2 ** 30));
  await buildOnce('half', 'ready', builder().build);
  assert.deepEqual(readdirSync(join(cache, 'half')).sort(), ['content', 'ready']);
  assert.deepEqual(
    readdirSync(cache).filter((name) => name.startsWith('half.')),
    [],
  );
});

test('a build that fails leaves nothing behind', async () => {
  const failing: Build = () => Promise.reject(new Error('no network'));
  await assert.rejects(buildOnce('failing', 'ready', failing), /no network/);
  assert.equal(existsSync(join(cache, 'failing')), false);
  assert.deepEqual(
    readdirSync(cache).filter((name) => name.startsWith('failing')),
    [],
  );
});
