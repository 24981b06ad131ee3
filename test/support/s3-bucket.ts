import { randomBytes } from 'node:crypto';
import type { S3Client } from '@aws-sdk/client-s3';
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { createS3Client } from '#embatch/core/s3.js';
import { mapConcurrent } from '#embatch/core/streams.js';
import { duringTests } from './during-tests.js';
import { s3Url, skipWithoutS3 } from './services.js';

export interface TestBucket {
  readonly name: string;
  readonly client: S3Client;
  put(
    key: string,
    body: string | Uint8Array,
    more?: { readonly contentType?: string },
  ): Promise<{ etag: string }>;
  putAll(objects: Iterable<readonly [key: string, body: string | Uint8Array]>): Promise<void>;
}

/**
 * A new bucket on the test server. Points the SDK's own variable at that server, for the code under test too;
 * credentials are in the environment already.
 */
export async function createTestBucket(): Promise<TestBucket> {
  process.env['AWS_ENDPOINT_URL_S3'] = s3Url();
  const client = await createS3Client();
  const name = `embatch-test-${randomBytes(6).toString('hex')}`;
  await client.send(new CreateBucketCommand({ Bucket: name }));
  const put: TestBucket['put'] = async (key, body, { contentType } = {}) => {
    const { ETag } = await client.send(
      new PutObjectCommand({
        Bucket: name,
        Key: key,
        Body: body,
        ContentLength: Buffer.byteLength(body),
        ...(contentType === undefined ? {} : { ContentType: contentType }),
      }),
    );
    return { etag: (ETag ?? '').replaceAll('"', '') };
  };
  return {
    name,
    client,
    put,
    async putAll(objects) {
      const puts = mapConcurrent(objects, 16, ([key, body]) => put(key, body));
      while ((await puts.next()).done !== true);
    },
  };
}

/** One for all tests of a file, filled before the first. */
export function testBucketDuringTests(
  fill: (bucket: TestBucket) => Promise<unknown> = () => Promise.resolve(),
): TestBucket {
  return duringTests(
    skipWithoutS3,
    async () => {
      const bucket = await createTestBucket();
      await fill(bucket);
      return bucket;
    },
    ({ client }) => {
      client.destroy();
    },
  );
}
