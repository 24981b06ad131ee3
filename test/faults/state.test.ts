/** A state that may not be written, is damaged, or is gone: what is in the index stays right, and nothing is claimed. */
import assert from 'node:assert/strict';
import { readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { faultProxyDuringTests, type SeenRequest } from '../support/fault-proxy.js';
import { testBucketDuringTests } from '../support/s3-bucket.js';
import { s3Url, skipWithoutS3 } from '../support/services.js';
import { tempFolder } from '../support/temp-folder.js';
import { disturb } from './support/disturb.js';
import { Documents } from './support/documents.js';
import { embatch, endedWith } from './support/faulty-run.js';
import { assertIndexEqualsSource } from './support/index-check.js';
import { sinkKinds } from './support/jobs.js';
import { bucketPlace, folderPlace } from './support/places.js';
import { isLong, randomFor } from './support/settings.js';

const OBJECTS = 40;
const denied =
  '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>';

for (const { name: sinkName, skip, open } of sinkKinds) {
  describe(`the state of a job into ${sinkName}`, { skip: skip || skipWithoutS3 }, () => {
    const bucket = testBucketDuringTests();
    const s3 = faultProxyDuringTests(s3Url, skipWithoutS3);
    const isLedgerWrite = ({ method, url }: SeenRequest): boolean =>
      method === 'PUT' && url.includes('/state/ledger/');

    const refusals = [
      ['from the start', 0],
      ['after a while', 3],
    ] as const;
    // Whatever the sink is.
    for (const [title, allowed] of isLong || sinkName === 'OpenSearch' ? refusals : []) {
      test(`a ledger that may not be written ${title} ends the run with 24, and nothing counts as done`, async (t) => {
        const index = `faults-denied-${allowed}-${sinkName.toLowerCase()}`;
        const documents = new Documents(bucketPlace(bucket, `${index}/docs/`), randomFor(index));
        await documents.add(OBJECTS);
        const sink = await open(t, index);
        const state = `s3://${bucket.name}/${index}/state`;
        const run = [documents.place.uri, '--sink', sink.uri, '--state', state, '--sink-batch-rows', '5'];
        let writes = 0;
        s3.add({
          when: (request) => isLedgerWrite(request) && ++writes > allowed,
          fault: { kind: 'respond', status: 403, body: denied },
        });
        const { error, status } = endedWith(24, await embatch(run, { s3: s3.url }));
        assert.equal(status, 'failed');
        assert.match(error?.message ?? '', /^Cannot write the state at s3:.*Access Denied/);
        s3.reset();
        endedWith(0, await embatch(run, { s3: s3.url }));
        assertIndexEqualsSource(await sink.rows(), documents);
      });
    }

    async function finishedJob(t: TestContext, title: string, removing = true) {
      const index = `faults-${title}-${sinkName.toLowerCase()}`;
      const folder = await tempFolder(t);
      const random = randomFor(index);
      const documents = new Documents(folderPlace(join(folder, 'docs')), random);
      await documents.add(OBJECTS);
      const sink = await open(t, index);
      const state = join(folder, 'state');
      const run = () => embatch([documents.place.uri, '--sink', sink.uri, '--state', state]);
      endedWith(0, await run());
      await disturb(documents, { oneIn: 5, removing }, random);
      return { documents, sink, ledger: join(state, 'ledger'), state, run };
    }

    for (const [title, pattern] of [
      ['block', /\.jsonl\.gz$/],
      ['head', /head\.json$/],
    ] as const) {
      test(`a ${title} of the ledger that lacks its last bytes is told of, and the index ends right`, async (t) => {
        const { documents, sink, ledger, run } = await finishedJob(
          t,
          `cut-${title}`,
          // What is gone from the source and from what is left of the ledger only verify can find.
          false,
        );
        const newest = filesBelow(ledger)
          .filter((path) => pattern.test(path))
          .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
        assert.ok(newest !== undefined);
        truncateSync(newest, statSync(newest).size - 7);
        const damaged = await run();
        endedWith(0, damaged);
        assert.match(damaged.stderr, /the ledger is incomplete: .* is damaged/);
        assertIndexEqualsSource(await sink.rows(), documents);
        assert.equal(endedWith(0, await run()).objects.unchanged, documents.keys.length);
      });
    }

    test('a state that is gone is made anew from the index, which ends right', async (t) => {
      const { documents, sink, state, run } = await finishedJob(t, 'wiped');
      rmSync(state, { recursive: true });
      const { objects } = endedWith(0, await run());
      assert.ok(objects.unchanged > OBJECTS / 4, JSON.stringify(objects));
      assertIndexEqualsSource(await sink.rows(), documents);
    });
  });
}

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
