/** What OpenSearch refuses of a document is a dead letter a chunk, and retry completes it once what spoils it is gone. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RunSummary } from '#embatch/job/summary.js';
import { openLedger } from '#embatch/ledger/objects/ledger.js';
import { openState } from '#embatch/ledger/open-state.js';
import { lettersIn } from '../support/dead-letters.js';
import { deleteIndex, scanIndex } from '../support/opensearch.js';
import { testData } from '../support/paths.js';
import { recordingLogger } from '../support/recording-logger.js';
import { runCli } from '../support/run-cli.js';
import { openSearchUrl, skipWithoutOpenSearch } from '../support/services.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';

test(
  'chunks that OpenSearch refuses are written by retry, and the other records of the object are left alone',
  { skip: skipWithoutOpenSearch },
  async (t) => {
    const folder = await tempFolder(t);
    const index = `retry-${randomUUID()}`;
    const url = openSearchUrl();
    t.after(async () => {
      await deleteIndex(url, index);
      await deleteIndex(url, `_ingest/pipeline/${index}`);
    });
    const records = [
      { text: 'a good one' },
      { text: 'a sentence of some words. '.repeat(12) },
      { text: 'another good one' },
    ];
    const sink = `opensearch+${url}/${index}`;
    const job = [
      'docs',
      '--model',
      testData('models/tiny-bert'),
      '--sink',
      sink,
      '--state',
      'state',
      '--json',
    ];
    const embatch = async (command: string): Promise<RunSummary> =>
      JSON.parse((await runCli([command, ...job], { cwd: folder })).stdout) as RunSummary;

    await writeFiles(folder, { 'docs/b.md': 'what makes the index' });
    assert.equal((await embatch('run')).exitCode, 0);
    // As somebody may put before an index: it spoils the second chunk of each document.
    const spoil = { set: { if: 'ctx.metadata.chunk == 1', field: 'metadata.start', value: 'no number' } };
    await put(`${url}/_ingest/pipeline/${index}`, { processors: [spoil] });
    await put(`${url}/${index}/_settings`, { 'index.default_pipeline': index });
    await writeFiles(folder, {
      'docs/a.jsonl': records.map((record) => `${JSON.stringify(record)}\n`).join(''),
    });

    const first = await embatch('run');
    const [letter, ...others] = await lettersIn(folder);
    assert.deepEqual([first.exitCode, first.documents, first.vectors.rejected, others.length], [20, 3, 1, 0]);
    const written = first.vectors.written;
    assert.ok(written > 3, 'the document in the middle has several chunks');
    assert.deepEqual(
      [letter?.stage, letter?.record, letter?.chunk, letter?.attempts, letter?.run],
      ['write', 22, 1, 1, first.run],
    );
    assert.match(letter?.reason ?? '', /failed to parse field \[metadata\.start\] of type \[long\]/);
    assert.deepEqual(await ledgerOf(folder, `${url}/${index}`, first.sink), [
      ['a.jsonl', 'failed', written],
      ['b.md', 'done', 1],
    ]);

    await put(`${url}/${index}/_settings`, { 'index.default_pipeline': '_none' });
    const retried = await embatch('retry');
    // All chunks of that document and none of the others.
    assert.deepEqual([retried.exitCode, retried.documents, retried.vectors.written], [0, 1, written - 1]);
    assert.deepEqual(await lettersIn(folder), []);
    const rows = await scanIndex(url, index);
    assert.equal(rows.length, written + 2);
    assert.equal(new Set(rows.map(({ id }) => id)).size, rows.length);
    assert.deepEqual(await ledgerOf(folder, `${url}/${index}`, retried.sink), [
      ['a.jsonl', 'done', written + 1],
      ['b.md', 'done', 1],
    ]);
    const after = await embatch('run');
    assert.deepEqual([after.exitCode, after.objects.unchanged, after.documents], [0, 2, 0]);
  },
);

async function put(url: string, body: object): Promise<void> {
  const answer = await fetch(url, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  assert.equal(answer.status, 200, await answer.text());
}

/** Key, status and rows of each object, as a next run would find them. */
async function ledgerOf(folder: string, indexUrl: string, sinkUri: string): Promise<unknown[]> {
  const answer = (await (await fetch(`${indexUrl}/_mapping`)).json()) as Record<
    string,
    { mappings: { _meta: { embatch: { indexId: string } } } }
  >;
  const [info] = Object.values(answer);
  const shard = { index: 0, count: 1 };
  const ledger = await openLedger({
    store: await openState(join(folder, 'state')),
    indexId: info?.mappings._meta.embatch.indexId ?? '',
    sinkUri,
    sourceId: `file://${folder}/docs`,
    run: 'a-reader',
    shard,
    writer: shard,
    shardOf: () => 0,
    log: recordingLogger(),
  });
  const entries: unknown[] = [];
  for await (const { key, status, chunks } of ledger.entries()) entries.push([key, status, chunks]);
  await ledger.close();
  return entries;
}
