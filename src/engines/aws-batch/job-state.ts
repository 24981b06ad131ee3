import type { JobDetail, JobSummary } from '@aws-sdk/client-batch';
import type { FleetState, Phase } from '../engine.js';
import { childIndex } from './find-jobs.js';

/** Batch keeps it as the reason of the job's end, also of children, of which it says nothing else. */
export const STOP_REASON = 'Stopped by embatch.';

const phases: Readonly<Record<string, Phase>> = {
  SUBMITTED: 'waiting',
  PENDING: 'waiting',
  RUNNABLE: 'waiting',
  STARTING: 'waiting',
  RUNNING: 'running',
  SUCCEEDED: 'succeeded',
  FAILED: 'failed',
};

/** What a parent and its children have in common. */
interface Job {
  readonly status?: string | undefined;
  readonly statusReason?: string | undefined;
  readonly isTerminated?: boolean | undefined;
  readonly isCancelled?: boolean | undefined;
  readonly container?:
    { readonly exitCode?: number | undefined; readonly reason?: string | undefined } | undefined;
}

type ShardState = FleetState['shards'][number];

/** `children`: of an array job; none for a plain job, which is its own only shard. */
export function fleetState(job: JobDetail, children: readonly JobSummary[]): FleetState {
  const isArray = job.arrayProperties?.size !== undefined;
  const shards = isArray
    ? children.flatMap((child) => {
        const index = child.arrayProperties?.index ?? childIndex(child.jobId);
        return index === undefined ? [] : [shardState(child, index)];
      })
    : [shardState(job, 0)];
  return {
    phase: phaseOfParent(job),
    reason: job.statusReason,
    shards: shards.sort((a, b) => a.index - b.index),
  };
}

/** The parent of an array stays PENDING until its last child has ended. */
function phaseOfParent(job: JobDetail): Phase {
  const phase = phaseOf(job);
  if (phase !== 'waiting') return phase;
  const { statusSummary = {} } = job.arrayProperties ?? {};
  const begun = ['RUNNING', 'SUCCEEDED', 'FAILED'].some((status) => (statusSummary[status] ?? 0) > 0);
  return begun ? 'running' : 'waiting';
}

function phaseOf({ status = '', statusReason, isTerminated, isCancelled }: Job): Phase {
  const isStopped = isTerminated === true || isCancelled === true || statusReason === STOP_REASON;
  return status === 'FAILED' && isStopped ? 'stopped' : (phases[status] ?? 'waiting');
}

function shardState(job: Job, index: number): ShardState {
  const phase = phaseOf(job);
  return {
    index,
    phase,
    // That of an attempt which was not the last one stays there while the next one runs.
    exitCode: phase === 'succeeded' || phase === 'failed' ? job.container?.exitCode : undefined,
    // The container's is the nearer one: `OutOfMemoryError: …` and not `Essential container in task exited`.
    reason: job.container?.reason ?? job.statusReason,
  };
}
