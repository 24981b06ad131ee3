/** From S3 into OpenSearch with the bundled model: what was put in is what a query finds first. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { deleteIndex, nearest, scanIndex } from '../support/opensearch.js';
import { runCli, s3Environment } from '../support/run-cli.js';
import { openSearchUrl, skipWithoutOpenSearch, skipWithoutS3 } from '../support/services.js';
import { tempFolder } from '../support/temp-folder.js';

const skip = skipWithoutS3 || skipWithoutOpenSearch;
const bucket = 'e2e-search';
const index = 'e2e-search';

const texts: Readonly<Record<string, string>> = {
  'docs/keys + rotation.md': 'Keys are rotated every ninety days by the operator on duty.',
  'docs/日本.txt': 'The lighthouse keeper wrote down every ship that passed.',
  'docs/refunds.html': '<title>Refunds</title><p>Customers get their money back within two weeks.</p>',
  'docs/bees.txt': 'Bees tell each other the way to food by dancing.',
};

before(async () => {
  if (skip !== false) return;
  const client = new S3Client({ forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  for (const [Key, Body] of Object.entries(texts)) {
    await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
  }
  client.destroy();
});

after(async () => {
  if (skip === false) await deleteIndex(openSearchUrl(), index);
});

test('a k-NN query for a text returns that text first, right after the run', { skip }, async (context) => {
  const sink = `${openSearchUrl().replace('http:', 'opensearch+http:')}/${index}`;
  const cwd = await tempFolder(context);
  const run = await runCli(['run', `s3://${bucket}/docs/`, '--sink', sink, '--json'], {
    cwd,
    env: s3Environment(),
  });
  assert.equal(run.code, 0, run.stderr);

  const rows = await scanIndex(openSearchUrl(), index);
  assert.deepEqual(
    rows.map(({ source }) => source.metadata.source).toSorted(),
    Object.keys(texts)
      .map((key) => `s3://${bucket}/${key}`)
      .toSorted(),
  );
  for (const { id, source } of rows) {
    const [first] = await nearest(openSearchUrl(), index, source.vector_field, 2);
    assert.equal(first?.id, id);

    const search = await runCli(['search', source.text, '--sink', sink, '--json', '--k', '1'], { cwd });
    assert.equal(search.code, 0, search.stderr);
    const { hits } = JSON.parse(search.stdout) as { hits: { id: string; score: number; text: string }[] };
    assert.equal(hits[0]?.id, id);
    assert.equal(hits[0].text, source.text);
    assert.ok(hits[0].score > 0.999, `the same text has the same vector: cosine ${hits[0].score}`);
  }
});
