import { randomUUID } from 'node:crypto';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { createS3Client } from '#embatch/core/s3.js';

/** A new, empty bucket; the server of the tests forgets it when it ends. */
export async function createBucket(): Promise<string> {
  const bucket = `test-${randomUUID()}`;
  const client = await createS3Client();
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  client.destroy();
  return bucket;
}
