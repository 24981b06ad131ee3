import type { V1ContainerStatus, V1Job, V1Pod } from '@kubernetes/client-node';
import type { FleetState, Phase } from '../engine.js';
import { indexesOf } from './index-ranges.js';

type ShardState = FleetState['shards'][number];

const INDEX = 'batch.kubernetes.io/job-completion-index';

/** What a Job and those of its pods that are known say of a fleet. */
export function fleetState(job: V1Job, pods: readonly V1Pod[]): FleetState {
  return { ...phaseOfJob(job), shards: shardStates(job, pods) };
}

function phaseOfJob(job: V1Job): { readonly phase: Phase; readonly reason: string | undefined } {
  const { spec, status, metadata } = job;
  const condition = (type: string) =>
    status?.conditions?.find((one) => one.type === type && one.status === 'True');
  const complete = condition('Complete');
  if (complete !== undefined) return { phase: 'succeeded', reason: undefined };
  const failed = condition('Failed');
  if (failed !== undefined) return { phase: 'failed', reason: words(failed.reason, failed.message) };
  if (metadata?.deletionTimestamp !== undefined)
    return { phase: 'stopped', reason: 'the Job is being deleted' };
  if (spec?.suspend === true) {
    // Until the last pod has ended in good order the shards are still at work.
    const stopping = (status?.active ?? 0) + (status?.terminating ?? 0) > 0;
    return stopping
      ? { phase: 'running', reason: 'the Job is being suspended' }
      : { phase: 'stopped', reason: 'the Job is suspended' };
  }
  // The Job has failed or succeeded already, and its last pods are being ended.
  const ending = condition('FailureTarget') ?? condition('SuccessCriteriaMet');
  const reason = ending === undefined ? undefined : words(ending.reason, ending.message);
  const started = (status?.ready ?? 0) > 0 || (status?.succeeded ?? 0) > 0 || (status?.failed ?? 0) > 0;
  return { phase: started || ending !== undefined ? 'running' : 'waiting', reason };
}

function shardStates(job: V1Job, pods: readonly V1Pod[]): ShardState[] {
  const states = new Map<number, ShardState>();
  for (const pod of [...pods].sort(byAge)) {
    const index = Number(pod.metadata?.labels?.[INDEX] ?? pod.metadata?.annotations?.[INDEX] ?? Number.NaN);
    // Of several pods the youngest counts.
    if (Number.isInteger(index)) states.set(index, shardOfPod(index, pod));
  }
  // The Job's word is final: a pod that failed may have been followed by one that was not listed.
  for (const index of indexesOf(job.status?.completedIndexes)) {
    states.set(index, { index, phase: 'succeeded', exitCode: 0, reason: undefined });
  }
  for (const index of indexesOf(job.status?.failedIndexes)) {
    const { exitCode, reason } = states.get(index) ?? {};
    states.set(index, { index, phase: 'failed', exitCode, reason });
  }
  return [...states.values()].sort((a, b) => a.index - b.index);
}

function shardOfPod(index: number, pod: V1Pod): ShardState {
  const container = pod.status?.containerStatuses?.[0];
  const terminated = container?.state?.terminated;
  const exitCode = terminated?.exitCode;
  const reason = reasonOfPod(pod, container);
  switch (pod.status?.phase) {
    case 'Succeeded':
      return { index, phase: 'succeeded', exitCode, reason };
    case 'Failed':
      // As long as the Job does not count the index as failed it will be started again.
      return { index, phase: 'waiting', exitCode, reason };
    case 'Running':
      return { index, phase: 'running', exitCode: undefined, reason: undefined };
    default:
      return { index, phase: 'waiting', exitCode: undefined, reason };
  }
}

function reasonOfPod(pod: V1Pod, container: V1ContainerStatus | undefined): string | undefined {
  const terminated = container?.state?.terminated;
  if (terminated !== undefined) {
    const disrupted = pod.status?.conditions?.find(
      (one) => one.type === 'DisruptionTarget' && one.status === 'True',
    );
    return words(disrupted?.reason ?? terminated.reason, disrupted?.message ?? terminated.message);
  }
  // ImagePullBackOff, CreateContainerConfigError: what else would wait for ever without a word.
  const waiting = container?.state?.waiting;
  if (waiting?.reason !== undefined) return words(waiting.reason, waiting.message);
  const unscheduled = pod.status?.conditions?.find(
    (one) => one.type === 'PodScheduled' && one.status === 'False',
  );
  return words(unscheduled?.reason ?? pod.status?.reason, unscheduled?.message ?? pod.status?.message);
}

/** A termination message may be the tail of a log. */
const MAX_WORDS = 300;

function words(reason: string | undefined, message: string | undefined): string | undefined {
  const parts = [reason, message].filter((part) => part !== undefined && part.trim() !== '');
  if (parts.length === 0) return undefined;
  const line = parts
    .join(': ')
    .trim()
    .replace(/\s*\n\s*/g, ' | ');
  return line.length > MAX_WORDS ? `${line.slice(0, MAX_WORDS - 1)}…` : line;
}

function byAge(a: V1Pod, b: V1Pod): number {
  return (a.metadata?.creationTimestamp?.getTime() ?? 0) - (b.metadata?.creationTimestamp?.getTime() ?? 0);
}
