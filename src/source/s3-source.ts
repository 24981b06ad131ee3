import type { S3Location } from '../core/s3.js';
import type { GlobbedSource } from './filter.js';
import { openBucket, type BucketOptions } from './s3-bucket.js';
import { listBucket } from './s3-list.js';
import { openS3Object } from './s3-read.js';

/**
 * The objects of a bucket whose key begins with `prefix`, as S3 means it: `s3://b/docs` also takes
 * `docs-old/a.txt`, `s3://b/docs/` does not.
 */
export async function createS3Source(
  uri: string,
  { bucket: name, prefix }: S3Location,
  options: BucketOptions,
): Promise<GlobbedSource> {
  const bucket = await openBucket(name, options);
  return {
    id: `s3://${name}`,
    uri,
    opensRanges: true,
    globBase: prefix.slice(0, prefix.lastIndexOf('/') + 1),
    reaches: (key) => key.startsWith(prefix),
    list: (listOptions = {}) => listBucket(bucket, prefix, { ...listOptions, log: options.log }),
    open: (object, openOptions) => openS3Object(bucket, object, openOptions),
    close() {
      bucket.close();
      return Promise.resolve();
    },
  };
}
