/** Whatever happens between a run and S3, the index ends as the source. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { faultProxyDuringTests, type SeenRequest } from '../support/fault-proxy.js';
import { deleteIndex } from '../support/opensearch.js';
import { testBucketDuringTests } from '../support/s3-bucket.js';
import { openSearchUrl, s3Url, skipWithoutOpenSearch, skipWithoutS3 } from '../support/services.js';
import { tempFolder } from '../support/temp-folder.js';
import { Documents } from './support/documents.js';
import { s3Faults, wireFaults } from './support/fault-mixes.js';
import { embatch, endedWith, type FaultyRun } from './support/faulty-run.js';
import { assertIndexEqualsSource, openSearchRows } from './support/index-check.js';
import { bucketPlace } from './support/places.js';
import { isLong, randomFor } from './support/settings.js';

const skip = skipWithoutOpenSearch || skipWithoutS3;
const OBJECTS = 30;
/** Minutes of back-off pass in seconds; a silent socket is given up after one and a half of them. */
const CLOCK_SPEED = 20;
/** Ten minutes take ten seconds. */
const OUTAGE_CLOCK_SPEED = 60;
const MINUTE_MS = 60_000;

const isOfState = ({ url }: SeenRequest): boolean => /\/state(\/|%2F|$)/.test(url);
const isOfSource = (request: SeenRequest): boolean => !isOfState(request);

describe('between a run and S3', { skip }, () => {
  const bucket = testBucketDuringTests();
  const s3 = faultProxyDuringTests(s3Url, skip);

  interface Job {
    readonly documents: Documents;
    readonly run: (clockSpeed?: number) => Promise<FaultyRun>;
    readonly assertComplete: () => Promise<void>;
  }

  async function job(t: TestContext, index: string, stateOnS3 = false): Promise<Job> {
    t.after(() => deleteIndex(openSearchUrl(), index));
    const documents = new Documents(bucketPlace(bucket, `${index}/docs/`), randomFor(index));
    await documents.add(OBJECTS);
    const sink = `${openSearchUrl().replace('http:', 'opensearch+http:')}/${index}`;
    const state = stateOnS3 ? `s3://${bucket.name}/${index}/state` : join(await tempFolder(t), 'state');
    const args = [documents.place.uri, '--sink', sink, '--state', state];
    return {
      documents,
      run: (clockSpeed = CLOCK_SPEED) => embatch(args, { s3: s3.url, clockSpeed }),
      async assertComplete() {
        assertIndexEqualsSource(await openSearchRows(openSearchUrl(), index), documents);
      },
    };
  }

  const assertMet = (least: number): void => {
    const met = s3.requests.filter(({ fault }) => fault !== undefined).length;
    assert.ok(met >= least, `only ${met} requests met a fault`);
  };

  for (const [n, { name, play }] of [...wireFaults, ...s3Faults].entries()) {
    test(`reading through ${name}: the index holds what the source holds`, async (t) => {
      const { documents, run, assertComplete } = await job(t, `faults-source-${n}`);
      play(s3, isOfSource, randomFor(name));
      assert.equal(endedWith(0, await run()).objects.embedded, documents.keys.length);
      assertMet(4);
      await assertComplete();
    });
  }

  const ofState = [...wireFaults, ...s3Faults].filter(({ name }) => isLong || /cut off|503/.test(name));
  for (const [n, { name, play }] of ofState.entries()) {
    test(`keeping the state through ${name}: the next run finds it`, async (t) => {
      const { documents, run, assertComplete } = await job(t, `faults-state-${n}`, true);
      play(s3, isOfState, randomFor(name));
      endedWith(0, await run());
      assertMet(2);
      s3.reset();
      assert.equal(endedWith(0, await run()).objects.unchanged, documents.keys.length);
      await assertComplete();
    });
  }

  /** From the first object on, for so many minutes of the program's clock, nothing is answered. */
  function outage(minutes: number): void {
    let since: number | undefined;
    s3.add({
      when(request) {
        if (/\.(txt|jsonl)\?/.test(request.url)) since ??= performance.now();
        return since !== undefined && (performance.now() - since) * OUTAGE_CLOCK_SPEED < minutes * MINUTE_MS;
      },
      fault: { kind: 'drop' },
    });
  }

  test('four minutes without S3: the run waits for the end of it', async (t) => {
    const { run, assertComplete } = await job(t, 'faults-source-four-minutes');
    outage(4);
    endedWith(0, await run(OUTAGE_CLOCK_SPEED));
    await assertComplete();
  });

  test('ten minutes without S3: the run says so, and the next one does the rest', async (t) => {
    const { run, assertComplete } = await job(t, 'faults-source-ten-minutes');
    outage(10);
    endedWith(21, await run(OUTAGE_CLOCK_SPEED));
    s3.reset();
    endedWith(0, await run());
    await assertComplete();
  });
});
