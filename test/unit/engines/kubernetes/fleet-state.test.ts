import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { V1Job, V1JobStatus, V1Pod, V1PodStatus } from '@kubernetes/client-node';
import type { FleetState } from '#embatch/engines/engine.js';
import { fleetState } from '#embatch/engines/kubernetes/fleet-state.js';
import { indexesOf } from '#embatch/engines/kubernetes/index-ranges.js';

const condition = (type: string, reason?: string, message?: string) => ({
  type,
  status: 'True',
  ...(reason === undefined ? {} : { reason }),
  ...(message === undefined ? {} : { message }),
});

function job(status: V1JobStatus, more: Partial<V1Job> = {}): V1Job {
  return { spec: { completions: 4, template: {} }, status, ...more };
}

const suspended = { spec: { completions: 4, suspend: true, template: {} } };

function pod(index: number, minute: number, status: V1PodStatus): V1Pod {
  return {
    metadata: {
      creationTimestamp: new Date(Date.UTC(2026, 0, 1, 0, minute)),
      labels: { 'batch.kubernetes.io/job-completion-index': String(index) },
    },
    status,
  };
}

const ended = (exitCode: number, message?: string): V1PodStatus => ({
  phase: exitCode === 0 ? 'Succeeded' : 'Failed',
  containerStatuses: [
    {
      name: 'embatch',
      image: '',
      imageID: '',
      ready: false,
      restartCount: 0,
      state: {
        terminated: {
          exitCode,
          reason: exitCode === 0 ? 'Completed' : 'Error',
          ...(message === undefined ? {} : { message }),
        },
      },
    },
  ],
});

describe('how a Job stands', () => {
  const cases: readonly (readonly [string, V1Job, FleetState['phase'], string | undefined])[] = [
    ['new', job({}), 'waiting', undefined],
    ['its pods are pending', job({ active: 4, ready: 0 }), 'waiting', undefined],
    ['a pod runs', job({ active: 4, ready: 1 }), 'running', undefined],
    ['between two tries', job({ active: 0, failed: 1 }), 'running', undefined],
    ['complete', job({ conditions: [condition('Complete')] }), 'succeeded', undefined],
    [
      'failed',
      job({ conditions: [condition('Failed', 'FailedIndexes', 'Job has failed indexes')] }),
      'failed',
      'FailedIndexes: Job has failed indexes',
    ],
    [
      'about to fail',
      job({ active: 2, conditions: [condition('FailureTarget', 'PodFailurePolicy', 'exit code 2')] }),
      'running',
      'PodFailurePolicy: exit code 2',
    ],
    [
      'suspended, pods still end',
      job({ terminating: 1 }, suspended),
      'running',
      'the Job is being suspended',
    ],
    [
      'suspended',
      job({ conditions: [condition('Suspended')] }, suspended),
      'stopped',
      'the Job is suspended',
    ],
    [
      'suspended when it had ended',
      job({ conditions: [condition('Complete')] }, suspended),
      'succeeded',
      undefined,
    ],
    [
      'deleted',
      job({ active: 2, ready: 2 }, { metadata: { deletionTimestamp: new Date() } }),
      'stopped',
      'the Job is being deleted',
    ],
    [
      'a condition that is not so',
      job({ conditions: [{ type: 'Failed', status: 'False' }] }),
      'waiting',
      undefined,
    ],
  ];
  for (const [what, given, phase, reason] of cases) {
    test(`${what}: ${phase}`, () => assert.deepEqual(fleetState(given, []), { phase, reason, shards: [] }));
  }
});

describe('how the shards of a Job stand', () => {
  const shardsOf = (status: V1JobStatus, pods: V1Pod[]) =>
    fleetState(job(status), pods).shards.map(({ index, phase, exitCode }) => [index, phase, exitCode]);

  test('by the Job where pods are not known', () => {
    assert.deepEqual(shardsOf({ completedIndexes: '0,2-3', failedIndexes: '1' }, []), [
      [0, 'succeeded', 0],
      [1, 'failed', undefined],
      [2, 'succeeded', 0],
      [3, 'succeeded', 0],
    ]);
  });

  test('by the youngest pod, whatever their order; a failed one will be followed by another', () => {
    const pods = [pod(1, 5, { phase: 'Running' }), pod(1, 1, ended(23)), pod(2, 1, ended(24))];
    assert.deepEqual(shardsOf({}, pods), [
      [1, 'running', undefined],
      [2, 'waiting', 24],
    ]);
  });

  test('by the Job where it says that a shard has failed, with the exit code of its pod', () => {
    assert.deepEqual(shardsOf({ failedIndexes: '2' }, [pod(2, 1, ended(24))]), [[2, 'failed', 24]]);
  });

  test('with the words of the process, in one short line', () => {
    const [shard] = fleetState(job({}), [pod(0, 1, ended(23, `one\ntwo\n${'x'.repeat(400)}`))]).shards;
    assert.match(shard?.reason ?? '', /^Error: one \| two \| x+…$/);
    assert.equal(shard?.reason?.length, 300);
  });

  test('with the reason why a pod waits', () => {
    const conditions = [
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes' },
    ];
    const [shard] = fleetState(job({}), [pod(0, 1, { phase: 'Pending', conditions })]).shards;
    assert.deepEqual([shard?.phase, shard?.reason], ['waiting', 'Unschedulable: 0/3 nodes']);
  });

  test('a node that is taken away is the reason, and not what the process said', () => {
    const status = {
      ...ended(143, 'stopped'),
      conditions: [condition('DisruptionTarget', 'EvictionByEvictionAPI', 'Eviction API: evicting')],
    };
    const [shard] = fleetState(job({}), [pod(0, 1, status)]).shards;
    assert.equal(shard?.reason, 'EvictionByEvictionAPI: Eviction API: evicting');
  });
});

test('compressed lists of indexes', () => {
  assert.deepEqual(indexesOf('1,3-5,7'), [1, 3, 4, 5, 7]);
  assert.deepEqual(indexesOf('0'), [0]);
  assert.deepEqual(indexesOf(''), []);
  assert.deepEqual(indexesOf(undefined), []);
});
