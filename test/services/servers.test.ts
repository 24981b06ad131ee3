/** What other tests take for granted of the servers that `npm test` starts. */
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import {
  openSearchUrl,
  skipWithoutOpenSearch,
  skipWithoutS3,
  skipWithoutTightOpenSearch,
  tightOpenSearchUrl,
} from '../support/services.js';

/** A name for a bucket or an index that no other test uses. */
const uniqueName = (): string => `servers-${randomUUID()}`;

async function send(url: string, method: string, body?: unknown): Promise<{ status: number; text: string }> {
  const response = await fetch(url, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, text: await response.text() };
}

test('of conditional puts of one S3 key at once exactly one wins', { skip: skipWithoutS3 }, async () => {
  const client = new S3Client({ forcePathStyle: true });
  try {
    const Bucket = uniqueName();
    await client.send(new CreateBucketCommand({ Bucket }));
    for (const Key of Array.from({ length: 10 }, (_, index) => `lease-${index}`)) {
      const put = () =>
        client.send(new PutObjectCommand({ Bucket, Key, Body: 'x'.repeat(3e5), IfNoneMatch: '*' }));
      const outcomes = await Promise.allSettled([put(), put(), put()]);
      const refused = outcomes.flatMap((outcome) =>
        outcome.status === 'rejected' ? [outcome.reason as Error] : [],
      );
      assert.deepEqual(
        refused.map((error) => error.name),
        ['PreconditionFailed', 'PreconditionFailed'],
        Key,
      );
    }
  } finally {
    client.destroy();
  }
});

test('OpenSearch builds a graph and searches it', { skip: skipWithoutOpenSearch }, async () => {
  const index = `${openSearchUrl()}/${uniqueName()}`;
  const method = { name: 'hnsw', engine: 'lucene', space_type: 'cosinesimil' };
  const created = await send(index, 'PUT', {
    settings: { index: { knn: true } },
    mappings: { properties: { vector: { type: 'knn_vector', dimension: 2, method } } },
  });
  assert.equal(created.status, 200, created.text);
  try {
    await send(`${index}/_doc/right`, 'PUT', { vector: [1, 2] });
    await send(`${index}/_doc/wrong?refresh=true`, 'PUT', { vector: [-1, 2] });
    const found = await send(`${index}/_search`, 'POST', {
      query: { knn: { vector: { vector: [1, 2], k: 1 } } },
    });
    assert.match(found.text, /"_id":"right"/);
  } finally {
    await send(index, 'DELETE');
  }
});

test('the tight node refuses a request of two megabytes', { skip: skipWithoutTightOpenSearch }, async () => {
  const { status } = await send(`${tightOpenSearchUrl()}/_bulk`, 'POST', 'x'.repeat(2e6));
  assert.equal(status, 413);
});

test(
  'the tight node rejects items while its queue of one is full',
  { skip: skipWithoutTightOpenSearch },
  async () => {
    const index = `${tightOpenSearchUrl()}/${uniqueName()}`;
    const created = await send(index, 'PUT', { settings: { number_of_shards: 1, number_of_replicas: 0 } });
    assert.equal(created.status, 200, created.text);
    try {
      const lines = Array.from(
        { length: 500 },
        (_, id) => `{"index":{}}\n{"text":"${id} ${'word '.repeat(100)}"}\n`,
      );
      const body = lines.join('');
      const headers = { 'content-type': 'application/x-ndjson' };
      const answers = await Promise.all(
        Array.from({ length: 40 }, async () =>
          (await fetch(`${index}/_bulk`, { method: 'POST', body, headers })).text(),
        ),
      );
      assert.ok(answers.some((answer) => answer.includes('rejected_execution_exception')));
      assert.ok(answers.some((answer) => answer.includes('"status":201')));
    } finally {
      await send(index, 'DELETE');
    }
  },
);
