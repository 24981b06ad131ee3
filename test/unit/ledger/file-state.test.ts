import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, before, describe, it, test } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import { createFileState } from '#embatch/ledger/file-state.js';
import { openState } from '#embatch/ledger/open-state.js';
import { describeState } from '../../conformance/state-conformance.js';
import { tempFolder } from '../../support/temp-folder.js';

describeState({
  name: 'folder',
  createPlace: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'embatch-state-'));
    return {
      open: () => openState(join(folder, 'made', 'when', 'needed')),
      remove: () => rm(folder, { recursive: true, force: true }),
    };
  },
});

describe('state in a folder', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'embatch-state-'));
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('makes the folder only when something is put there', async () => {
    const place = join(folder, 'not', 'yet');
    const store = createFileState(place);
    await store.get('a');
    await store.list('');
    await store.delete('a');
    assert.equal(existsSync(join(folder, 'not')), false);
    await store.put('a', 'x');
    assert.deepEqual(await readdir(place), ['a']);
  });

  it('leaves no temporary files behind, and does not list those of a process that died', async () => {
    const place = join(folder, 'temporary');
    const store = createFileState(place);
    await store.put('a/x', '1');
    await store.putIfAbsent('a/y', '1');
    await store.putIfAbsent('a/y', '2');
    assert.deepEqual(await readdir(join(place, 'a')), ['x', 'y']);
    await writeFile(join(place, 'a', '.tmp-left-behind'), 'torn');
    assert.deepEqual(await store.list(''), ['a/x', 'a/y']);
  });

  it('says where it lies as an absolute path', () => {
    const store = createFileState(relative(process.cwd(), join(folder, 'x')));
    assert.equal(store.uri, join(folder, 'x'));
  });

  it('says in words that a part of the path is a file', async () => {
    await writeFile(join(folder, 'file'), '');
    const store = createFileState(join(folder, 'file', 'below'));
    await assert.rejects(
      store.put('a', 'x'),
      (error) => isEmbatchError(error, 'STATE') && /is a file, not a folder.*--state/.test(error.message),
    );
  });

  it('says in words that a folder stands where an entry belongs', async () => {
    await mkdir(join(folder, 'place', 'a'), { recursive: true });
    const store = createFileState(join(folder, 'place'));
    await assert.rejects(store.get('a'), (error) => isEmbatchError(error, 'STATE'));
    await assert.rejects(store.put('a', 'x'), (error) => isEmbatchError(error, 'STATE'));
    assert.deepEqual(await readdir(join(folder, 'place')), ['a'], 'no temporary file is left');
  });

  for (const uri of ['', 'http://host/x', 'opensearch://host/x']) {
    it(`refuses ${JSON.stringify(uri)} as a place`, async () => {
      await assert.rejects(openState(uri), (error) => isEmbatchError(error, 'USAGE'));
    });
  }
});

test('a folder goes with its last entry, and comes again with the next, also while others write there', async (t) => {
  const folder = await tempFolder(t);
  const store = createFileState(folder);
  await store.put('a/b/c', 'x');
  await store.delete('a/b/c');
  assert.deepEqual(await readdir(join(folder, 'a')), []);
  const writers = Array.from({ length: 8 }, async (_, n) => {
    for (let round = 0; round < 25; round++) {
      await store.put(`shared/${n}`, 'x');
      await store.delete(`shared/${n}`);
    }
  });
  await Promise.all(writers);
  assert.deepEqual(await store.list(''), []);
});
