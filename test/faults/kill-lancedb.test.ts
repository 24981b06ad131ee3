/** kill -9 at any moment of runs from S3 into LanceDB, with the state beside it. */
import { join } from 'node:path';
import { test } from 'node:test';
import { faultProxyDuringTests } from '../support/fault-proxy.js';
import { testBucketDuringTests } from '../support/s3-bucket.js';
import { s3Url, skipWithoutS3 as skip } from '../support/services.js';
import { tempFolder } from '../support/temp-folder.js';
import { Documents } from './support/documents.js';
import { lanceDbRows } from './support/index-check.js';
import { killRuns } from './support/kill-runs.js';
import { bucketPlace } from './support/places.js';
import { isLong, randomFor } from './support/settings.js';

const bucket = testBucketDuringTests();
const s3 = faultProxyDuringTests(s3Url, skip);

test(
  'runs into LanceDB are killed again and again, and the table ends as the source',
  { skip },
  async (t) => {
    const folder = join(await tempFolder(t), 'vectors');
    const random = randomFor('kill-lancedb');
    const documents = new Documents(bucketPlace(bucket, 'docs/'), random);
    await documents.add(isLong ? 600 : 120);
    await killRuns(t, {
      documents,
      random,
      mostRequests: documents.keys.length - 10,
      kills: isLong ? 100 : 8,
      // Most JSONL objects are done by ranges: each reads the object's head, and its own bytes.
      args: [
        documents.place.uri,
        '--sink',
        `lancedb:${folder}`,
        '--sink-batch-rows',
        '40',
        '--split-bytes',
        '4KiB',
      ],
      readsOfObject: 7,
      s3,
      others: [],
      rows: () => lanceDbRows(folder),
    });
  },
);
