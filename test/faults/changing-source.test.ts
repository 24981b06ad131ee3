/** Objects change, become shorter, go away and come while runs read them; the next run sets the index right. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { faultProxyDuringTests, type SeenRequest } from '../support/fault-proxy.js';
import { testBucketDuringTests } from '../support/s3-bucket.js';
import { s3Url, skipWithoutS3 } from '../support/services.js';
import { tempFolder } from '../support/temp-folder.js';
import { disturb } from './support/disturb.js';
import { Documents } from './support/documents.js';
import { embatch, endedWith } from './support/faulty-run.js';
import { assertIndexEqualsSource } from './support/index-check.js';
import { sinkKinds } from './support/jobs.js';
import { bucketPlace } from './support/places.js';
import { isLong, randomFor } from './support/settings.js';

const bucket = testBucketDuringTests();
const s3 = faultProxyDuringTests(s3Url, skipWithoutS3);

const OBJECTS = isLong ? 300 : 60;
const ROUNDS = isLong ? 10 : 2;
const isRead = ({ method, url }: SeenRequest): boolean => method === 'GET' && /\.(txt|jsonl)\?/.test(url);

for (const { name, skip, open } of sinkKinds) {
  test(`a source that changes while it is read into ${name}`, { skip: skip || skipWithoutS3 }, async (t) => {
    const index = `faults-changing-${name.toLowerCase()}`;
    const random = randomFor(index);
    const documents = new Documents(bucketPlace(bucket, `${index}/`), random);
    await documents.add(OBJECTS);
    const sink = await open(t, index);
    const state = join(await tempFolder(t), 'state');
    const run = [documents.place.uri, '--sink', sink.uri, '--state', state, '--sink-batch-rows', '10'];
    for (let round = 0; round < ROUNDS; round++) {
      let reads = 0;
      // Each time before an object is read: of the objects behind it, what was listed is there no more.
      s3.add({
        when: (request) => isRead(request) && ++reads % 9 === 5,
        fault: { kind: 'hold', until: () => disturb(documents, { oneIn: 12 }, random) },
      });
      endedWith(0, await embatch(run, { s3: s3.url }));
      assert.ok(s3.requests.some(({ fault }) => fault === 'hold'));
      s3.reset();
    }
    const last = endedWith(0, await embatch(run, { s3: s3.url }));
    assertIndexEqualsSource(await sink.rows(), documents);
    t.diagnostic(`the last run: ${JSON.stringify(last.objects)}`);
    const settled = endedWith(0, await embatch(run, { s3: s3.url }));
    assert.deepEqual([settled.objects.unchanged, settled.objects.deleted], [documents.keys.length, 0]);
  });
}
