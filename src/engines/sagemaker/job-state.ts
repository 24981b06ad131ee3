import type { DescribeProcessingJobResponse } from '@aws-sdk/client-sagemaker';
import { exitCodes } from '../../core/exit-codes.js';
import type { FleetState, Phase } from '../engine.js';

type Job = Pick<
  DescribeProcessingJobResponse,
  | 'ProcessingJobStatus'
  | 'FailureReason'
  | 'ExitMessage'
  | 'ProcessingStartTime'
  | 'ProcessingEndTime'
  | 'StoppingCondition'
>;

/** What a described job says of the fleet. */
export function fleetState(job: Job): FleetState {
  return { phase: phaseOf(job), reason: reasonOf(job), shards: shardsOf(job.ExitMessage ?? '') };
}

function phaseOf(job: Job): Phase {
  switch (job.ProcessingJobStatus) {
    case 'Completed':
      return 'succeeded';
    case 'Failed':
      return 'failed';
    case 'Stopped':
      return ranOutOfTime(job) ? 'failed' : 'stopped';
    case 'Stopping':
      return 'running';
    default:
      // The instances are being started, and the image pulled.
      return job.ProcessingStartTime === undefined ? 'waiting' : 'running';
  }
}

/** The service's clock and the time in which containers are told to stop are not exact. */
const SLACK_SECONDS = 5;

/**
 * SageMaker calls a job that it ended for its `MaxRuntimeInSeconds` Stopped, and gives no reason: like one that somebody
 * stopped. Only the times tell.
 */
function ranOutOfTime({ StoppingCondition, ProcessingStartTime, ProcessingEndTime }: Job): boolean {
  const most = StoppingCondition?.MaxRuntimeInSeconds;
  if (most === undefined || ProcessingStartTime === undefined || ProcessingEndTime === undefined)
    return false;
  return (ProcessingEndTime.getTime() - ProcessingStartTime.getTime()) / 1000 >= most - SLACK_SECONDS;
}

function reasonOf(job: Job): string | undefined {
  const own = [job.FailureReason, job.ExitMessage]
    .filter((text) => text !== undefined && text.trim() !== '')
    .map((text) => text?.trim().replace(/\s+/g, ' '));
  if (job.ProcessingJobStatus === 'Completed') return undefined;
  if (job.ProcessingJobStatus === 'Stopping') own.unshift('stopping');
  if (job.ProcessingJobStatus === 'Stopped' && ranOutOfTime(job)) {
    const most = job.StoppingCondition?.MaxRuntimeInSeconds ?? 0;
    own.unshift(`the job was ended after its longest time of ${most} s (--timeout)`);
  }
  return own.length === 0 ? undefined : own.join('; ');
}

/**
 * Each shard's own exit message (docs/running-in-containers.md), as far as SageMaker kept it: those of all containers
 * are joined in no order that is promised, with nothing between them, and cut to 1 KB.
 */
function shardsOf(exitMessage: string): FleetState['shards'] {
  const starts = [...exitMessage.matchAll(/shard (\d+) of \d+: exit (\d+), /g)];
  return starts
    .map((match, place) => {
      const end = starts[place + 1]?.index ?? exitMessage.length;
      const [whole, index = '', exitCode = ''] = match;
      const reason = exitMessage.slice(match.index + whole.length, end).trim();
      return {
        index: Number(index),
        exitCode: Number(exitCode),
        phase: shardPhase(Number(exitCode)),
        reason,
      };
    })
    .sort((a, b) => a.index - b.index);
}

const phases: ReadonlyMap<number, Phase> = new Map([
  [exitCodes.ok, 'succeeded'],
  [exitCodes.deadLetters, 'succeeded'],
  [exitCodes.interrupted, 'stopped'],
  [exitCodes.terminated, 'stopped'],
]);

const shardPhase = (exitCode: number): Phase => phases.get(exitCode) ?? 'failed';
