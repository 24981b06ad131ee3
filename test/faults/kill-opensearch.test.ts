/** kill -9 at any moment of runs from S3 into OpenSearch, with the state on S3. */
import { test } from 'node:test';
import { faultProxyDuringTests } from '../support/fault-proxy.js';
import { deleteIndex } from '../support/opensearch.js';
import { testBucketDuringTests } from '../support/s3-bucket.js';
import { openSearchUrl, s3Url, skipWithoutOpenSearch, skipWithoutS3 } from '../support/services.js';
import { Documents } from './support/documents.js';
import { openSearchRows } from './support/index-check.js';
import { killRuns } from './support/kill-runs.js';
import { bucketPlace } from './support/places.js';
import { isLong, randomFor } from './support/settings.js';

const skip = skipWithoutOpenSearch || skipWithoutS3;
const index = 'faults-kill';
const bucket = testBucketDuringTests();
const s3 = faultProxyDuringTests(s3Url, skip);
const openSearch = faultProxyDuringTests(openSearchUrl, skip);

test(
  'runs into OpenSearch are killed again and again, and the index ends as the source',
  { skip },
  async (t) => {
    t.after(() => deleteIndex(openSearchUrl(), index));
    const random = randomFor(index);
    const documents = new Documents(bucketPlace(bucket, 'docs/'), random);
    await documents.add(isLong ? 600 : 120);
    const sink = `${openSearch.url.replace('http:', 'opensearch+http:')}/${index}`;
    const state = `s3://${bucket.name}/state`;
    await killRuns(t, {
      documents,
      random,
      mostRequests: documents.keys.length + 20,
      kills: isLong ? 100 : 8,
      args: [documents.place.uri, '--sink', sink, '--state', state, '--sink-batch-rows', '40'],
      s3,
      others: [openSearch],
      rows: () => openSearchRows(openSearchUrl(), index),
    });
  },
);
