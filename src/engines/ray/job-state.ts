import { commonPhase } from '../common-phase.js';
import { z } from 'zod';
import { EmbatchError } from '../../core/errors.js';
import type { FleetState, Phase } from '../engine.js';
import { lastLine } from './client.js';

const jobSchema = z.object({
  submission_id: z.string(),
  status: z.string(),
  message: z.string().nullish(),
  driver_exit_code: z.int().nullish(),
});

export type RayJob = z.infer<typeof jobSchema>;

/** An answer to `GET /api/jobs/ID`; undefined where it is none. */
export function parseJob(text: string): RayJob | undefined {
  const value = parseJson(text);
  const result = jobSchema.safeParse(value);
  return result.success ? result.data : undefined;
}

/** undefined where it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const phases: Readonly<Record<string, Phase>> = {
  PENDING: 'waiting',
  RUNNING: 'running',
  SUCCEEDED: 'succeeded',
  FAILED: 'failed',
  STOPPED: 'stopped',
};

export const hasEnded = ({ status }: RayJob): boolean => !['waiting', 'running'].includes(phaseOf(status));

export const isWaiting = ({ status }: RayJob): boolean => phaseOf(status) === 'waiting';

/** Error: ENGINE for a status of a later Ray. */
function phaseOf(status: string): Phase {
  const phase = phases[status];
  if (phase === undefined) {
    throw new EmbatchError(
      'ENGINE',
      `Ray says of a job that it is ${status}, which this version does not know.`,
    );
  }
  return phase;
}

/** `jobs` in the order of the shards, undefined where Ray does not know the job. */
export function fleetState(jobs: readonly (RayJob | undefined)[]): FleetState | undefined {
  if (jobs.every((job) => job === undefined)) return undefined;
  const shards = jobs.flatMap((job, index) =>
    job === undefined
      ? []
      : [
          {
            index,
            phase: phaseOf(job.status),
            exitCode: exitCodeOf(job),
            reason: reasonOf(job),
          },
        ],
  );
  const missing = jobs.flatMap((job, index) => (job === undefined ? [index] : []));
  return {
    phase: commonPhase(
      shards.map((shard) => shard.phase),
      missing.length > 0,
    ),
    reason: missing.length === 0 ? undefined : `Ray does not know shard ${missing.join(', ')}`,
    shards,
  };
}

/** Of a process that a signal ended, Ray tells the signal as a negative number; everybody else adds it to 128. */
function exitCodeOf({ driver_exit_code: code }: RayJob): number | undefined {
  return typeof code === 'number' && code < 0 ? 128 - code : (code ?? undefined);
}

/** A failed job's message ends with the last words of its log. */
function reasonOf({ message }: RayJob): string | undefined {
  const line = lastLine(message ?? '');
  return line === '' ? undefined : line;
}
