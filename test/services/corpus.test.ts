/**
 * The bucket of real documents, odd keys and broken files included, from a real S3 server into a real OpenSearch.
 * With a tiny model and one chunk per document, so that accounting is tested and not patience.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { RunSummary } from '#embatch/job/summary.js';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { expectedOf, unpackCorpus, type CorpusObject } from '../support/corpus.js';
import { deleteIndex, scanIndex, type StoredRow } from '../support/opensearch.js';
import { testData } from '../support/paths.js';
import { runCli, s3Environment } from '../support/run-cli.js';
import { openSearchUrl, skipWithoutOpenSearch, skipWithoutS3 } from '../support/services.js';
import { sharedFolder } from '../support/shared.js';

const shared = sharedFolder();
const skip =
  shared === undefined ? 'no ../shared beside the project' : skipWithoutS3 || skipWithoutOpenSearch;
const bucket = 'e2e-corpus';
const indexes = ['e2e-corpus-one', 'e2e-corpus-sequence', 'e2e-corpus-at-once'] as const;

let folder = '';
let objects: CorpusObject[] = [];

before(async () => {
  if (skip !== false || shared === undefined) return;
  folder = await mkdtemp(join(tmpdir(), 'embatch-corpus-'));
  objects = unpackCorpus(shared, folder);
  const client = new S3Client({ forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  const waiting = [...objects];
  const put = async (): Promise<void> => {
    for (let object = waiting.pop(); object !== undefined; object = waiting.pop()) {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: object.key, Body: object.bytes }));
    }
  };
  await Promise.all(Array.from({ length: 8 }, put));
  client.destroy();
});

after(async () => {
  if (skip !== false) return;
  await rm(folder, { recursive: true, force: true });
  for (const index of indexes) await deleteIndex(openSearchUrl(), index);
});

async function run(index: string, ...flags: readonly string[]): Promise<RunSummary> {
  const sink = `${openSearchUrl().replace('http:', 'opensearch+http:')}/${index}`;
  const model = ['--model', testData('models/tiny-bert'), '--chunker', 'none', '--overflow', 'truncate'];
  const state = ['--state', join(folder, `state-${index}`)];
  const args = ['run', `s3://${bucket}/`, '--sink', sink, '--json', ...model, ...state, ...flags];
  const { code, stdout, stderr } = await runCli(args, { env: s3Environment() });
  assert.equal(code, 20, `the corpus has broken files, so the run must end with 20:\n${stderr}`);
  return JSON.parse(stdout) as RunSummary;
}

/** Rows by key; the vectors are compared bit for bit elsewhere, here by what was stored. */
const byId = (rows: readonly StoredRow[]): string[] =>
  rows.map(({ id, source }) => `${id} ${JSON.stringify(source)}`).sort();

test(
  'every object of the corpus is accounted for, and the index agrees with an independent count',
  { skip },
  async () => {
    const summary = await run(indexes[0]);
    const expected = new Map(objects.map((object) => [object.key, expectedOf(object)]));
    const listed = [...expected.keys()].filter((key) => !key.endsWith('/'));
    assert.equal(summary.status, 'partial');
    assert.equal(summary.objects.listed, listed.length);
    const { mine, unchanged, embedded, skipped, failed } = summary.objects;
    assert.equal(mine, listed.length);
    assert.equal(mine, unchanged + embedded + skipped + failed);
    const all = [...expected.values()];
    assert.equal(failed, all.filter((outcome) => outcome.failed).length);
    assert.equal(embedded, all.filter((outcome) => !outcome.failed && outcome.documents > 0).length);

    const rows = await scanIndex(openSearchUrl(), indexes[0]);
    const stored = new Map<string, number>();
    for (const { source } of rows)
      stored.set(source.metadata.key, (stored.get(source.metadata.key) ?? 0) + 1);
    for (const [key, { documents }] of expected)
      assert.equal(stored.get(key) ?? 0, documents, JSON.stringify(key));
    assert.equal(summary.vectors.written, rows.length);
    assert.equal(summary.documents, rows.length);
    assert.ok(summary.truncatedTokens > 0, 'what was cut off is counted');
  },
);

test('a second run reads nothing, and changes nothing in the index', { skip }, async () => {
  const rows = byId(await scanIndex(openSearchUrl(), indexes[0]));
  const { objects: counts, tokens, exitCode } = await run(indexes[0]);
  assert.equal(counts.mine, counts.unchanged + counts.skipped + counts.failed);
  assert.equal(counts.embedded, 0);
  assert.equal(tokens, 0);
  assert.equal(exitCode, counts.failed > 0 ? 20 : 0);
  assert.deepEqual(byId(await scanIndex(openSearchUrl(), indexes[0])), rows);
});

test('a run that has lost its ledger makes it anew, and changes nothing in the index', { skip }, async () => {
  const rows = byId(await scanIndex(openSearchUrl(), indexes[0]));
  const { objects: counts } = await run(indexes[0], '--state', join(folder, 'state-lost'));
  assert.ok(counts.unchanged > 0.9 * counts.mine, `${counts.unchanged} of ${counts.mine}`);
  assert.deepEqual(byId(await scanIndex(openSearchUrl(), indexes[0])), rows);
});

test('three shards, one after the other, end in the same index as one', { skip }, async () => {
  const summaries: RunSummary[] = [];
  for (const shard of [2, 0, 1])
    summaries.push(await run(indexes[1], '--shard', String(shard), '--shards', '3'));
  assertSharedOut(summaries);
  assert.deepEqual(
    byId(await scanIndex(openSearchUrl(), indexes[1])),
    byId(await scanIndex(openSearchUrl(), indexes[0])),
  );
});

test('three shards, all at once, end in the same index as one', { skip }, async () => {
  const summaries = await Promise.all(
    [0, 1, 2].map((shard) => run(indexes[2], '--shard', String(shard), '--shards', '3', '--workers', '1')),
  );
  assertSharedOut(summaries);
  assert.deepEqual(
    byId(await scanIndex(openSearchUrl(), indexes[2])),
    byId(await scanIndex(openSearchUrl(), indexes[0])),
  );
});

function assertSharedOut(summaries: readonly RunSummary[]): void {
  const listed = summaries[0]?.objects.listed;
  for (const { objects: counts } of summaries) {
    assert.equal(counts.listed, listed);
    assert.ok(counts.mine > 0);
  }
  assert.equal(
    summaries.reduce((sum, { objects: counts }) => sum + counts.mine, 0),
    listed,
  );
}
