/** `embatch plan` against a real S3 and a real cluster: a listing that all shards read, and what a cluster has. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { DeleteObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import type { PlanReport } from '#embatch/job/plan/report.js';
import { deleteIndex } from '../support/opensearch.js';
import { testData } from '../support/paths.js';
import { runCli, s3Environment, summaryOf, type Ended } from '../support/run-cli.js';
import { testBucketDuringTests } from '../support/s3-bucket.js';
import { openSearchUrl, s3Url, skipWithoutOpenSearch, skipWithoutS3 } from '../support/services.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';

const flags = ['--model', testData('models/tiny-bert'), '--workers', '1', '--json'];
const bucket = testBucketDuringTests();

function reportOf({ code, stdout, stderr }: Ended): PlanReport {
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as PlanReport;
}

/** Every row below a folder of the JSONL sink, as it was written. */
async function rowsBelow(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  const files = names.filter((name) => name.endsWith('.jsonl') && !name.includes('.embatch'));
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
  return texts.flatMap((text) => text.trim().split('\n')).sort();
}

async function keysBelow(prefix: string): Promise<string[]> {
  const { Contents = [] } = await bucket.client.send(
    new ListObjectsV2Command({ Bucket: bucket.name, Prefix: prefix }),
  );
  return Contents.map(({ Key = '' }) => Key);
}

test(
  'shards that read a listing kept in S3 write what a run over the bucket writes',
  { skip: skipWithoutS3 },
  async (t) => {
    const cwd = await tempFolder(t);
    const source = `s3://${bucket.name}/docs/`;
    const listing = `s3://${bucket.name}/listings/docs`;
    const cli = async (...args: readonly string[]): Promise<Ended> =>
      runCli([...args, ...flags], { cwd, env: { ...s3Environment(), AWS_ENDPOINT_URL_S3: s3Url() } });
    await bucket.putAll([
      ...Array.from(
        { length: 24 },
        (_, n) => [`docs/${n % 3}/${n} é+😀.txt`, `Document ${n} of them.`] as const,
      ),
      ['docs/records.jsonl', '{"text":"one"}\n{"text":"two"}\n'],
    ]);
    await bucket.client.send(
      new PutObjectCommand({ Bucket: bucket.name, Key: 'docs/old.txt', Body: 'x', StorageClass: 'GLACIER' }),
    );

    const plan = reportOf(
      await cli('plan', source, '--sink', 'jsonl:./index', '--write-manifest', listing, '--sample', '100'),
    );
    assert.equal(plan.manifest, listing);
    assert.deepEqual(plan.skippedBy, { archived: 1 });
    assert.match(plan.warnings.join('\n'), /^1 object in an archive tier: what is not restored/m);
    assert.deepEqual(
      [plan.objects.listed, plan.objects.toEmbed, plan.estimate.documents.value],
      [26, 25, 26],
    );
    const kept = await keysBelow('');
    assert.deepEqual(
      kept.filter((key) => !key.startsWith('docs/')).map((key) => key.replace(/block-.*-/, 'block-')),
      ['listings/docs/block-000000.jsonl.gz', 'listings/docs/listing.json'],
      'a plan writes the listing and nothing else',
    );

    await bucket.put('docs/newer.txt', 'Put there after the listing.');
    const shards = [];
    for (const shard of ['0', '1']) {
      const which = ['--shard', shard, '--shards', '2', '--source-manifest', listing];
      shards.push(summaryOf(await cli('run', source, '--sink', 'jsonl:./index', ...which)));
    }
    assert.deepEqual(
      shards.map(({ status, objects }) => [status, objects.listed]),
      [
        ['complete', 26],
        ['complete', 26],
      ],
      'what is newer than the listing is not seen',
    );
    assert.equal(
      shards.reduce((sum, { skippedBy }) => sum + (skippedBy['archived'] ?? 0), 0),
      1,
      'the listing says what is archived',
    );
    await bucket.client.send(new DeleteObjectCommand({ Bucket: bucket.name, Key: 'docs/newer.txt' }));
    const live = summaryOf(await cli('run', source, '--sink', 'jsonl:./live'));
    assert.equal(live.documents, plan.estimate.documents.value);
    assert.equal(live.tokens, plan.estimate.tokens.value);
    assert.deepEqual(await rowsBelow(join(cwd, 'index')), await rowsBelow(join(cwd, 'live')));
  },
);

test('a plan of a bucket that is not there says so', { skip: skipWithoutS3 }, async (t) => {
  const cwd = await tempFolder(t);
  const ended = await runCli(
    ['plan', `s3://${bucket.name}-none/docs/`, '--sink', 'jsonl:./index', ...flags],
    {
      cwd,
      env: { ...s3Environment(), AWS_ENDPOINT_URL_S3: s3Url() },
    },
  );
  assert.equal(ended.code, 21, ended.stderr);
  assert.match(ended.stderr, /Cannot list s3:\/\/embatch-test-\w+-none\/docs\/: .*bucket does not exist/i);
  assert.equal((JSON.parse(ended.stdout) as { exitCode: number }).exitCode, 21);
  assert.deepEqual(await readdir(cwd), [], 'nothing was written');
});

test(
  'a plan tells what an OpenSearch cluster has, makes no index, and leaves out what one holds',
  { skip: skipWithoutOpenSearch },
  async (t) => {
    const cwd = await tempFolder(t);
    const url = openSearchUrl();
    const index = `plan-${randomUUID()}`;
    t.after(() => deleteIndex(url, index));
    await writeFiles(cwd, { 'docs/a.txt': 'The first of two.', 'docs/b.txt': 'The second of two.' });
    const job = ['./docs', '--sink', `opensearch+${url}/${index}`, '--state', './state', ...flags];

    const plan = reportOf(await runCli(['plan', ...job], { cwd }));
    // By other means than the program's: the columns of _cat.
    const [node] = (await (
      await fetch(`${url}/_cat/nodes?format=json&bytes=b&h=heap.max,ram.max,disk.avail`)
    ).json()) as [Record<'heap.max' | 'ram.max' | 'disk.avail', string>];
    assert.equal(plan.cluster?.nodes, 1);
    assert.equal(plan.cluster.heapBytes, Number(node['heap.max']));
    assert.equal(plan.cluster.memoryBytes, Number(node['ram.max']));
    const free = plan.cluster.diskAvailableBytes / Number(node['disk.avail']);
    assert.ok(free > 0.5 && free < 2, `${free} of the free disk: others write to it, too`);
    assert.ok(plan.index.graphBytes > 0);
    assert.equal((await fetch(`${url}/${index}`)).status, 404, 'a plan makes no index');
    assert.deepEqual(await readdir(cwd), ['docs'], 'and no state');

    assert.equal((await runCli(['run', ...job], { cwd })).code, 0);
    const again = reportOf(await runCli(['plan', ...job], { cwd }));
    assert.deepEqual([again.objects.unchanged, again.objects.toEmbed], [2, 0]);
    assert.match(again.warnings.join('\n'), /There is nothing to embed/);
  },
);
