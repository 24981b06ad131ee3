/** Fleets on a real API server and a real Job controller, with processes of this machine for containers. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { FleetState } from '#embatch/engines/engine.js';
import { duringTests } from '../support/during-tests.js';
import { eventually } from '../support/eventually.js';
import { skipWithoutKubernetes } from '../support/services.js';
import { writeFiles } from '../support/temp-folder.js';
import { connectToTestCluster } from './support/cluster.js';
import {
  EMBATCH,
  engineWith,
  exitingFleet,
  fleetOf,
  hasEnded,
  images,
  refOf,
  stateWhen,
} from './support/fleets.js';
import { jsonlKeys } from './support/jsonl-keys.js';
import { startMiniKubelet } from './support/mini-kubelet.js';

const namespace = 'jobs';

const lab = duringTests(
  skipWithoutKubernetes,
  async () => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'embatch-test-')));
    const cluster = connectToTestCluster();
    await cluster.createNamespace(namespace);
    const pods = join(folder, 'pods');
    await writeFiles(folder, { 'pods/.keep': '', 'plans/.keep': '' });
    const kubelet = await startMiniKubelet(cluster.config, { images, namespace, folder: pods });
    return { folder, cluster, kubelet, plans: join(folder, 'plans') };
  },
  async ({ folder, kubelet }) => {
    await kubelet.close();
    await rm(folder, { recursive: true, force: true });
  },
);

const engine = (given: Parameters<typeof engineWith>[1] = {}) =>
  engineWith(lab.cluster.file, { namespace, ...given });

describe('a fleet on Kubernetes', { skip: skipWithoutKubernetes, concurrency: true }, () => {
  test('three shards of a run share a folder, and each ends with 0', async () => {
    const source = join(lab.folder, 'source');
    const keys = Array.from({ length: 12 }, (_, index) => `doc-${index}.txt`);
    await writeFiles(source, Object.fromEntries(keys.map((key) => [key, `The text of ${key}.`])));
    const sink = join(lab.folder, 'sink');
    const fleet = fleetOf('three-shards', 3, {
      EMBATCH_SOURCE: source,
      EMBATCH_SINK: `jsonl:${sink}`,
      EMBATCH_STATE: join(lab.folder, 'state'),
      EMBATCH_WORKERS: '1',
    });
    const kubernetes = await engine({ image: EMBATCH });

    assert.equal(await kubernetes.submit(fleet), 'namespaces/jobs/jobs/three-shards');
    const state = await stateWhen(kubernetes, refOf(fleet), 'ends', hasEnded);

    assert.deepEqual(state, {
      phase: 'succeeded',
      reason: undefined,
      shards: [0, 1, 2].map((index) => ({ index, phase: 'succeeded', exitCode: 0, reason: undefined })),
    } satisfies FleetState);
    assert.deepEqual(await jsonlKeys(sink), keys.sort());
    assert.equal(lab.kubelet.started.filter(({ name }) => name.startsWith('three-shards-')).length, 3);
  });

  test('a wrong option ends the whole fleet at once, also the shards that are well', async () => {
    const { fleet, folder } = await exitingFleet('wrong-option', 2, { 0: ['wait'], 1: [2] }, lab.plans);
    const kubernetes = await engine();
    await kubernetes.submit(fleet);
    const state = await stateWhen(kubernetes, refOf(fleet), 'ends', hasEnded);

    assert.equal(state.phase, 'failed');
    assert.match(state.reason ?? '', /^PodFailurePolicy: .* failed with exit code 2 matching FailJob rule/);
    assert.deepEqual((await readdir(folder)).sort(), ['0.0', '1.0'], 'no shard was started again');
    assert.equal(state.shards.find(({ index }) => index === 1)?.exitCode, 2);
  });

  test('a shard that ran to its end with dead letters is not repeated, and the others go on', async () => {
    const { fleet, folder } = await exitingFleet('dead-letters', 3, { 1: [20] }, lab.plans);
    const kubernetes = await engine();
    await kubernetes.submit(fleet);
    const state = await stateWhen(kubernetes, refOf(fleet), 'ends', hasEnded);

    assert.equal(state.phase, 'failed');
    assert.match(state.reason ?? '', /^FailedIndexes/);
    assert.deepEqual(
      state.shards.map(({ index, phase, exitCode }) => [index, phase, exitCode]),
      [
        [0, 'succeeded', 0],
        [1, 'failed', 20],
        [2, 'succeeded', 0],
      ],
    );
    assert.match(state.shards[1]?.reason ?? '', /^Error: shard 1 ends with 20/);
    assert.deepEqual((await readdir(folder)).sort(), ['0.0', '1.0', '2.0']);
  });

  test('a shard whose sink was away is started again as often as --retries says', async () => {
    const { fleet, folder } = await exitingFleet('sink-away', 2, { 0: [23], 1: [23, 23, 0] }, lab.plans);
    const kubernetes = await engine({ retries: 1 });
    await kubernetes.submit(fleet);
    const state = await stateWhen(kubernetes, refOf(fleet), 'ends', hasEnded);

    assert.equal(state.phase, 'failed');
    assert.deepEqual(
      state.shards.map(({ index, phase, exitCode }) => [index, phase, exitCode]),
      [
        [0, 'succeeded', 0],
        [1, 'failed', 23],
      ],
    );
    assert.deepEqual((await readdir(folder)).sort(), ['0.0', '0.1', '1.0', '1.1']);
  });

  test('a shard that was stopped is started again without a retry being spent', async () => {
    const { fleet, folder } = await exitingFleet('stopped', 1, { 0: [143, 0] }, lab.plans);
    const kubernetes = await engine({ retries: 0 });
    await kubernetes.submit(fleet);
    const state = await stateWhen(kubernetes, refOf(fleet), 'ends', hasEnded);

    assert.equal(state.phase, 'succeeded', state.reason);
    assert.deepEqual((await readdir(folder)).sort(), ['0.0', '0.1']);
  });

  test('a node that is drained costs no retry, whatever its shard ends with', async () => {
    const { fleet, folder } = await exitingFleet('drained', 1, { 0: ['wait', 0] }, lab.plans);
    const kubernetes = await engine({ retries: 0 });
    await kubernetes.submit(fleet);
    await eventually('the shard runs', async () => (await readdir(folder)).length === 1);
    const { items } = await lab.cluster.core.listNamespacedPod({
      namespace,
      labelSelector: 'batch.kubernetes.io/job-name=drained',
    });
    const name = items[0]?.metadata?.name ?? '';
    await lab.cluster.core.createNamespacedPodEviction({ name, namespace, body: { metadata: { name } } });
    const state = await stateWhen(kubernetes, refOf(fleet), 'ends', hasEnded);

    assert.equal(state.phase, 'succeeded', state.reason);
    assert.deepEqual((await readdir(folder)).sort(), ['0.0', '0.1']);
  });

  test('a fleet that is stopped ends in good order, stays to tell so, and can be resumed', async () => {
    const { fleet, folder } = await exitingFleet(
      'suspended',
      2,
      { 0: ['wait', 0], 1: ['wait', 0] },
      lab.plans,
    );
    const kubernetes = await engine({ retries: 0 });
    await kubernetes.submit(fleet);
    await eventually('both run', async () => (await readdir(folder)).length === 2);
    await stateWhen(kubernetes, refOf(fleet), 'runs', ({ phase }) => phase === 'running');
    await kubernetes.stop(refOf(fleet));
    await kubernetes.stop(refOf(fleet));
    const state = await stateWhen(kubernetes, refOf(fleet), 'ends', hasEnded);
    assert.deepEqual([state.phase, state.reason], ['stopped', 'the Job is suspended']);

    await lab.cluster.batch.patchNamespacedJob({
      name: fleet.name,
      namespace,
      body: [{ op: 'add', path: '/spec/suspend', value: false }],
    });
    const resumed = await stateWhen(kubernetes, refOf(fleet), 'ends', hasEnded);
    assert.equal(resumed.phase, 'succeeded', resumed.reason);
    assert.deepEqual((await readdir(folder)).sort(), ['0.0', '0.1', '1.0', '1.1']);
  });

  test('variables and secrets arrive as they are', async () => {
    await lab.cluster.core.createNamespacedSecret({
      namespace,
      body: { metadata: { name: 'opensearch' }, stringData: { OPENSEARCH_PASSWORD: 'a$(HOME)$$b' } },
    });
    const { fleet, folder } = await exitingFleet('variables', 1, {}, lab.plans);
    const hard = {
      EMBATCH_DOCUMENT_TEMPLATE: '$(HOME) $$ $HOME "{text}"\n$',
      EMBATCH_INCLUDE: '**/*.{md,txt}',
    };
    const kubernetes = await engine({ secrets: ['opensearch'] });
    await kubernetes.submit({ ...fleet, environment: { ...fleet.environment, ...hard } });
    await stateWhen(kubernetes, refOf(fleet), 'ends', hasEnded);

    const seen = JSON.parse(await readFile(join(folder, '0.0'), 'utf8')) as Record<string, string>;
    const wanted = {
      ...hard,
      OPENSEARCH_PASSWORD: 'a$(HOME)$$b',
      EMBATCH_SHARDS: '1',
      JOB_COMPLETION_INDEX: '0',
    };
    assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((name) => [name, seen[name]])), wanted);
    assert.equal(seen['HOSTNAME'], 'variables-0');
  });

  for (const [what, given, wanted] of [
    [
      'an image that cannot be pulled',
      { image: 'registry.example/other:1' },
      /^ImagePullBackOff: cannot pull/,
    ],
    ['a secret that is not there', { secrets: ['none'] }, /^CreateContainerConfigError: secret "none"/],
  ] as const) {
    test(`${what} is told as the reason why shards wait`, async () => {
      const kubernetes = await engine(given);
      const fleet = fleetOf(what.replaceAll(' ', '-'), 1);
      await kubernetes.submit(fleet);
      const state = await stateWhen(
        kubernetes,
        refOf(fleet),
        'says why it waits',
        ({ shards }) => shards[0]?.reason !== undefined,
      );
      assert.equal(state.phase, 'waiting');
      assert.match(state.shards[0]?.reason ?? '', wanted);
      await kubernetes.stop(refOf(fleet));
    });
  }
});
