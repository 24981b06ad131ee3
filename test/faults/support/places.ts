import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import type { TestBucket } from '../../support/s3-bucket.js';
import type { Place } from './documents.js';

/** Objects below a prefix of a bucket. */
export function bucketPlace(bucket: TestBucket, prefix: string): Place {
  return {
    root: `s3://${bucket.name}/${prefix}`,
    uri: `s3://${bucket.name}/${prefix}`,
    async put(key, body) {
      await bucket.put(`${prefix}${key}`, body);
    },
    async remove(key) {
      await bucket.client.send(new DeleteObjectCommand({ Bucket: bucket.name, Key: `${prefix}${key}` }));
    },
  };
}

/** Files of a folder; each is replaced in one step, as a careful writer does. */
export function folderPlace(folder: string): Place {
  return {
    root: `file://${folder}/`,
    uri: folder,
    async put(key, body) {
      const path = join(folder, key);
      await mkdir(dirname(path), { recursive: true });
      // Hidden, so that no run reads it.
      const draft = join(dirname(path), `.${key.replaceAll('/', '-')}`);
      await writeFile(draft, body);
      await rename(draft, path);
    },
    remove: (key) => rm(join(folder, key)),
  };
}
