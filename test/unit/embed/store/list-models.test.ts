import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { listModels } from '#embatch/embed/store/list-models.js';
import { writeFiles } from '../../../support/temp-folder.js';
import { commitOf, createTestStore, ID, MAIN, tinyBert } from './support.js';

test('listed are the bundled model and what the cache holds whole, by what --model takes', async (t) => {
  const { hub, pull, home } = await createTestStore(t);
  const bundled = await listModels();
  assert.deepEqual(
    bundled.map(({ ref, revision }) => ({ ref, revision })),
    [{ ref: 'all-MiniLM-L6-v2', revision: null }],
  );
  assert.ok((bundled[0]?.bytes ?? 0) > 20_000_000);

  const [tag, branch] = [commitOf('tag'), commitOf('branch')];
  hub.models[ID] = {
    refs: { main: MAIN, 'refs/pr/1': branch },
    commits: { [MAIN]: await tinyBert(), [tag]: await tinyBert(), [branch]: await tinyBert() },
  };
  const { folder, files } = await pull(`hf:${ID}`);
  await pull(`hf:${ID}@${tag}`);
  await pull(`hf:${ID}@refs/pr/1`);
  const cache = join(home, 'hub');
  // Other things that live in such a cache: a chat model, a dataset, an unfinished download, notes.
  await writeFiles(join(cache, 'models--acme--chat', 'snapshots', commitOf('chat')), {
    'config.json': '{"model_type":"llama"}',
    'tokenizer.json': '{}',
    'model.safetensors': 'x',
  });
  await writeFiles(join(cache, 'models--static', 'snapshots', commitOf('static')), {
    'config.json': '{"model_type":"model2vec"}',
    'tokenizer.json': '{}',
    'model.safetensors': 'x',
  });
  await writeFiles(join(cache, 'models--acme--half', 'snapshots', commitOf('half')), {
    'tokenizer.json': '{}',
  });
  await mkdir(join(cache, 'datasets--acme--texts', 'snapshots', commitOf('texts')), { recursive: true });
  await writeFile(join(cache, 'version.txt'), '1');

  const listed = await listModels();
  assert.deepEqual(
    listed.map(({ ref, revision }) => ({ ref, revision })),
    [
      { ref: 'all-MiniLM-L6-v2', revision: null },
      { ref: `hf:${ID}`, revision: MAIN },
      { ref: `hf:${ID}@${tag}`, revision: tag },
      { ref: `hf:${ID}@refs/pr/1`, revision: branch },
      { ref: `hf:static@${commitOf('static')}`, revision: commitOf('static') },
    ].sort((a, b) => (a.ref < b.ref ? -1 : 1)),
  );
  const main = listed.find(({ ref }) => ref === `hf:${ID}`);
  assert.equal(main?.folder, folder);
  assert.equal(
    main.bytes,
    files.reduce((sum, { size }) => sum + size, 0),
  );
});
