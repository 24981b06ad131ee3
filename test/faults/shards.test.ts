/** Shards beside each other, and another number of them after some were killed. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { faultProxyDuringTests } from '../support/fault-proxy.js';
import { testBucketDuringTests } from '../support/s3-bucket.js';
import { s3Url, skipWithoutS3 } from '../support/services.js';
import { tempFolder } from '../support/temp-folder.js';
import { disturb } from './support/disturb.js';
import { Documents } from './support/documents.js';
import { embatch, endedWith, KILLED, type FaultyRun } from './support/faulty-run.js';
import { assertIndexEqualsSource } from './support/index-check.js';
import { sinkKinds, type SinkKind, type TestSink } from './support/jobs.js';
import { bucketPlace } from './support/places.js';
import { randomFor, type Random } from './support/settings.js';

const bucket = testBucketDuringTests();
const s3 = faultProxyDuringTests(s3Url, skipWithoutS3);
const OBJECTS = 60;

interface Job {
  readonly documents: Documents;
  readonly sink: TestSink;
  readonly random: Random;
  readonly shards: (count: number, onSpawn?: (child: ChildProcess) => void) => Promise<FaultyRun[]>;
}

async function job(t: TestContext, kind: SinkKind, title: string): Promise<Job> {
  const index = `faults-${title}-${kind.name.toLowerCase()}`;
  const random = randomFor(index);
  const documents = new Documents(bucketPlace(bucket, `${index}/`), random);
  await documents.add(OBJECTS);
  const sink = await kind.open(t, index);
  const state = join(await tempFolder(t), 'state');
  const places = [documents.place.uri, '--sink', sink.uri, '--state', state];
  const run = [...places, '--sink-batch-rows', '10', '--split-bytes', '4KiB'];
  return {
    documents,
    sink,
    random,
    shards: (count, onSpawn) =>
      Promise.all(
        Array.from({ length: count }, (_, shard) =>
          embatch([...run, '--shard', String(shard), '--shards', String(count)], {
            s3: s3.url,
            ...(onSpawn === undefined ? {} : { onSpawn }),
          }),
        ),
      ),
  };
}

const sum = (runs: readonly FaultyRun[], of: 'mine' | 'embedded' | 'unchanged'): number =>
  runs.reduce((total, { summary }) => total + (summary?.objects[of] ?? 0), 0);

for (const kind of sinkKinds) {
  const skip = kind.skip || skipWithoutS3;

  test(`two shards at once into ${kind.name}`, { skip }, async (t) => {
    const { documents, sink, random, shards } = await job(t, kind, 'two-shards');
    for (const round of [0, 1]) {
      if (round === 1) await disturb(documents, { oneIn: 4 }, random);
      const runs = await shards(2);
      for (const run of runs) endedWith(0, run);
      assert.equal(sum(runs, 'mine'), documents.keys.length);
      assertIndexEqualsSource(await sink.rows(), documents);
    }
  });

  test(`three shards that are killed, then five, into ${kind.name}`, { skip }, async (t) => {
    const { documents, sink, random, shards } = await job(t, kind, 'three-to-five');
    const children: ChildProcess[] = [];
    let seen = 0;
    const target = 3 * random.between(8, 16);
    s3.add({
      when: ({ url }) => /\.(txt|jsonl)\?/.test(url) && ++seen === target,
      fault: {
        kind: 'hold',
        until: () => Promise.resolve(children.map((child) => child.kill('SIGKILL'))),
      },
    });
    const killed = await shards(3, (child) => children.push(child));
    assert.ok(
      killed.filter(({ code }) => code === KILLED).length >= 2,
      killed.map(({ code }) => code).join(),
    );
    s3.reset();
    await disturb(documents, { oneIn: 6 }, random);
    const runs = await shards(5);
    for (const run of runs) endedWith(0, run);
    assert.equal(sum(runs, 'embedded') + sum(runs, 'unchanged'), documents.keys.length);
    assertIndexEqualsSource(await sink.rows(), documents);
    // What five have written one knows.
    const [whole] = await shards(1);
    assert.equal(whole?.summary?.objects.unchanged, documents.keys.length, whole?.stderr);
  });
}
