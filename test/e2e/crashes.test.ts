/** A document that ends the process costs that document. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from '@lancedb/lancedb';
import { createFileState } from '#embatch/ledger/file-state.js';
import { openLedger } from '#embatch/ledger/objects/ledger.js';
import { shardOf } from '#embatch/shard/shard-of-key.js';
import { testData } from '../support/paths.js';
import { recordingLogger } from '../support/recording-logger.js';
import { runCli, summaryOf } from '../support/run-cli.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';

const tiny = ['--model', testData('models/tiny-bert')];
const run = ['run', 'docs', ...tiny, '--state', 'state', '--json'];

async function countRows(folder: string): Promise<number> {
  const connection = await connect(join(folder, 'vectors'));
  const count = await (await connection.openTable('chunks')).countRows();
  connection.close();
  return count;
}

/** What a run leaves in the ledger that ends without a word while it has `keys` in work. */
async function die(folder: string, keys: readonly string[]): Promise<void> {
  const store = createFileState(join(folder, 'state'));
  // As the next run will: index and source are named in the state.
  const start = await store.get('shards/0-of-1/run.json');
  const { index } = JSON.parse(Buffer.from(start ?? []).toString()) as { index: { indexId: string } };
  const ledger = await openLedger({
    store,
    indexId: index.indexId,
    sinkUri: 'lancedb:./vectors',
    sourceId: `file://${join(folder, 'docs')}`,
    run: `${new Date()
      .toISOString()
      .replace(/\.\d+Z$/, 'z')
      .replaceAll(/[-:]/g, '')
      .toLowerCase()}-dead`,
    shard: { index: 0, count: 1 },
    writer: { index: 0, count: 1 },
    shardOf,
    log: recordingLogger(),
  });
  const known = new Map<string, number>();
  for await (const entry of ledger.entries()) known.set(entry.key, entry.crashes ?? 0);
  for (const key of keys) {
    await ledger.begun(ledger.begin({ key, version: 'v', chunks: 0, text: 't' }, known.get(key)));
  }
}

test('an object that runs die with is tried alone at the end, then given up, and the rest is embedded', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, { 'docs/a.md': 'one', 'docs/b.md': 'two', 'docs/c.md': 'three' });
  await runCli([...run, '--include', 'a.md'], { cwd: folder });
  await die(folder, ['b.md', 'c.md']);
  await die(folder, ['b.md', 'c.md']);
  const alone = await runCli([...run, '--include', 'a.md', '--include', 'b.md'], { cwd: folder });
  assert.deepEqual([alone.code, summaryOf(alone).objects.embedded], [0, 1]);
  assert.match(alone.stderr, /b\.md was in work when 2 runs ended without a word: it is tried alone/);

  await die(folder, ['c.md']);
  await die(folder, ['c.md']);
  const third = await runCli(run, { cwd: folder });
  const { objects, exitCode, deadLetters } = summaryOf(third);
  assert.deepEqual([exitCode, objects.failed, objects.unchanged], [20, 1, 2]);
  assert.match(deadLetters ?? '', /dead-letters/);
  const letters = await createFileState(join(folder, 'state')).list('dead-letters/');
  assert.equal(letters.length, 1);
  const again = summaryOf(await runCli(run, { cwd: folder }));
  assert.deepEqual([again.exitCode, again.objects.failed, again.objects.unchanged], [20, 1, 2]);
  assert.equal(await countRows(folder), 2);
});
