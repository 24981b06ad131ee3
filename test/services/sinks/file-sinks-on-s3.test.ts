import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { DeleteObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { connect } from '@lancedb/lancedb';
import { isEmbatchError } from '#embatch/core/errors.js';
import type { SinkContext } from '#embatch/core/interfaces.js';
import { createS3Client } from '#embatch/core/s3.js';
import { createJsonlSink } from '#embatch/sinks/jsonl/sink.js';
import { s3StorageOptions } from '#embatch/sinks/lancedb/config.js';
import { createLanceDbSink } from '#embatch/sinks/lancedb/sink.js';
import { describeSink } from '../../conformance/sink-conformance.js';
import { aRow, allRows, byId, infoFor, recordingLog, writeAll } from '../../conformance/sink-rows.js';
import { createBucket } from '../../support/bucket.js';
import { startLosingProxy } from '../../support/losing-proxy.js';
import { withEnvironment } from '../../support/s3-source.js';
import { s3Url, skipWithoutS3 } from '../../support/services.js';

const DIMENSIONS = 8;

let bucket = '';
before(async () => {
  if (skipWithoutS3 === false) bucket = await createBucket();
});

let runs = 0;
function context(shard = { index: 0, count: 1 }): SinkContext {
  return { log: recordingLog(), run: `20261121t100000z-${String(runs++).padStart(4, '0')}`, shard };
}

async function put(key: string, text: string): Promise<void> {
  const client = await createS3Client();
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: Buffer.from(text) }));
  client.destroy();
}

async function remove(key: string): Promise<void> {
  const client = await createS3Client();
  await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
  client.destroy();
}

async function keysBelow(prefix: string): Promise<string[]> {
  const client = await createS3Client();
  const page = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
  client.destroy();
  return (page.Contents ?? []).map(({ Key: key }) => key?.slice(prefix.length) ?? '');
}

describeSink({
  name: 'jsonl on S3',
  skip: skipWithoutS3,
  createPlace: () => {
    const prefix = `jsonl/${randomUUID()}`;
    return Promise.resolve({
      open: (shard) => createJsonlSink(`jsonl:s3://${bucket}/${prefix}/`, {}, context(shard)),
      makeForeign: () => put(`${prefix}/theirs.jsonl`, '{}\n'),
      remove: () => Promise.resolve(),
    });
  },
});

describeSink({
  name: 'lancedb on S3',
  skip: skipWithoutS3,
  createPlace: () => {
    const prefix = `lancedb/${randomUUID()}`;
    return Promise.resolve({
      open: (shard) => createLanceDbSink(`lancedb:s3://${bucket}/${prefix}`, {}, context(shard)),
      makeForeign: async () => {
        const storageOptions = s3StorageOptions(process.env);
        const connection = await connect(`s3://${bucket}/${prefix}`, { storageOptions });
        await connection.createTable('chunks', [{ id: 'theirs', vector: [1, 2, 3] }]);
        connection.close();
      },
      remove: () => Promise.resolve(),
    });
  },
});

describe('sinks on S3', { skip: skipWithoutS3 }, () => {
  it('of many that create a LanceDB table at once one does, and leaves no claim', async () => {
    for (let round = 0; round < 3; round++) {
      const prefix = `create/${randomUUID()}/`;
      const sinks = Array.from({ length: 4 }, () =>
        createLanceDbSink(`lancedb:s3://${bucket}/${prefix}`, {}, context()),
      );
      const infos = await Promise.all(
        sinks.map(async (sink, n) => {
          const info = await sink.prepare(infoFor(DIMENSIONS));
          await sink.write([aRow(n, DIMENSIONS)]);
          return info;
        }),
      );
      assert.equal(new Set(infos.map(({ indexId }) => indexId)).size, 1);
      const [sink] = sinks;
      assert.ok(sink !== undefined);
      assert.deepEqual(byId(await allRows(sink)), byId([0, 1, 2, 3].map((n) => aRow(n, DIMENSIONS))));
      assert.ok(!(await keysBelow(prefix)).includes('chunks.create'));
      await Promise.all(sinks.map((each) => each.close()));
    }
  });

  it('a claim that stands is waited for, and the wait can be ended', async () => {
    const prefix = `claim/${randomUUID()}`;
    await put(`${prefix}/chunks.create`, 'someone is at it');
    const sink = createLanceDbSink(`lancedb:s3://${bucket}/${prefix}`, {}, context());
    const ending = new AbortController();
    const waiting = sink.prepare(infoFor(DIMENSIONS), { signal: ending.signal });
    ending.abort(new Error('enough'));
    await assert.rejects(waiting, /enough/);
    const again = sink.prepare(infoFor(DIMENSIONS));
    await remove(`${prefix}/chunks.create`);
    await again;
    await sink.close();
  });

  it('an unfinished LanceDB table is made over', async () => {
    const prefix = `unfinished/${randomUUID()}`;
    await put(`${prefix}/chunks.lance/_transactions/0-x.txn`, '');
    const sink = createLanceDbSink(`lancedb:s3://${bucket}/${prefix}`, {}, context());
    assert.equal(await sink.inspect(), undefined);
    await sink.prepare(infoFor(DIMENSIONS));
    await writeAll(sink, [aRow(1, DIMENSIONS)]);
    assert.equal((await allRows(sink)).length, 1);
    await sink.close();
  });

  it('JSONL becomes one object a write, and one row an id after a second run', async () => {
    const prefix = `segments/${randomUUID()}/`;
    const uri = `jsonl:s3://${bucket}/${prefix}`;
    const rows = Array.from({ length: 6 }, (_, n) => aRow(n, DIMENSIONS));
    for (let run = 0; run < 2; run++) {
      const sink = createJsonlSink(uri, {}, context());
      assert.equal(sink.leaseUri, `s3://${bucket}/${prefix}.embatch`);
      await sink.prepare(infoFor(DIMENSIONS));
      await sink.write(rows.slice(0, 3));
      await sink.write(rows.slice(3));
      await sink.finish({ lastWriter: true });
      await sink.close();
    }
    const keys = await keysBelow(prefix);
    assert.equal(keys.length, 3, keys.join(', '));
    assert.deepEqual(
      keys.map((key) => key.replace(/z-\d{4}/, 'z-RUN')),
      [
        'part-0-of-1-20261121t100000z-RUN-000001.jsonl',
        'part-0-of-1-20261121t100000z-RUN.jsonl',
        'recipe.json',
      ],
    );
  });

  it('rows whose answer was lost, so that the client sent them again, are there once', async () => {
    const prefix = `lost/${randomUUID()}/`;
    const before = createJsonlSink(`jsonl:s3://${bucket}/${prefix}`, {}, context());
    await before.prepare(infoFor(DIMENSIONS));
    await before.close();
    const proxy = await startLosingProxy(s3Url());
    const sink = createJsonlSink(`jsonl:s3://${bucket}/${prefix}`, {}, context());
    try {
      await withEnvironment({ AWS_ENDPOINT_URL_S3: proxy.url }, async () => {
        await sink.prepare(infoFor(DIMENSIONS));
        await sink.write([aRow(1, DIMENSIONS)]);
      });
      assert.equal(proxy.lost(), 1);
      assert.equal((await keysBelow(prefix)).length, 2, 'the recipe and one part');
    } finally {
      await sink.close();
      await proxy.close();
    }
  });

  for (const [scheme, create] of [
    ['jsonl', createJsonlSink],
    ['lancedb', createLanceDbSink],
  ] as const) {
    it(`${scheme} says that there is no such bucket`, async () => {
      const sink = create(`${scheme}:s3://no-such-bucket-here/x`, {}, context());
      await assert.rejects(
        sink.prepare(infoFor(DIMENSIONS)),
        (error) =>
          isEmbatchError(error, 'SINK') && error.message.includes('bucket') && !error.message.includes('\n'),
      );
      await sink.close();
    });
  }
});
