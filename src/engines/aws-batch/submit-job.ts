import type { BatchClient, SubmitJobRequest } from '@aws-sdk/client-batch';
import { describeError, EmbatchError, isEmbatchError } from '../../core/errors.js';
import type { Abortable, Logger } from '../../core/interfaces.js';
import { sleep } from '../../core/streams.js';
import { awsErrorName, awsFailure, awsStatus } from '../aws-failure.js';
import { hasEnded, jobsNamed, type BatchAccess } from './find-jobs.js';
import { STOP_REASON } from './job-state.js';
import { toSend } from '../aws-options.js';

export interface SubmitPatience {
  readonly pauseMs: number;
  /** How often a submission that was throttled is sent again. */
  readonly throttled: number;
  /** How often a job is looked for whose answer was lost: lists lag behind. */
  readonly looks: number;
}

export const submitPatience: SubmitPatience = { pauseMs: 1000, throttled: 5, looks: 4 };

/**
 * The ids of jobs of this name that have ended. Error: USAGE where one has not: Batch itself would run a second one
 * beside it.
 */
export async function refuseNameInUse(
  access: BatchAccess,
  name: string,
  options: Abortable,
): Promise<ReadonlySet<string>> {
  const jobs = await jobsNamed(access, name, options);
  const live = jobs.find((job) => !hasEnded(job));
  if (live === undefined) return new Set(jobs.map(({ jobId = '' }) => jobId));
  throw new EmbatchError(
    'USAGE',
    `${access.place} has a job ${name} that has not ended (${live.status ?? '?'}, ${live.jobId ?? '?'}), so nothing was started. Wait for it, or end it with \`aws batch terminate-job\`.`,
  );
}

export interface SubmitOptions extends Abortable {
  readonly log: Logger;
  readonly patience: SubmitPatience;
  /** Ids of earlier jobs of this name. */
  readonly known: ReadonlySet<string>;
}

/**
 * The id of the job. `once`: a client that repeats nothing, since SubmitJob knows no token by which a repeated request
 * could be told from a second job: where the answer is lost, a job of this name is looked for that was not there before.
 * Errors: USAGE, ENGINE.
 */
export async function submitJob(
  access: BatchAccess,
  once: BatchClient,
  request: SubmitJobRequest,
  options: SubmitOptions,
): Promise<string> {
  const { signal, patience } = options;
  const { SubmitJobCommand } = await import('@aws-sdk/client-batch');
  const name = request.jobName ?? '';
  for (let attempt = 0; ; attempt += 1) {
    try {
      const { jobId } = await once.send(new SubmitJobCommand(request), toSend({ signal }));
      if (jobId === undefined)
        throw new EmbatchError('ENGINE', `${access.place} gave no id for the job ${name}.`);
      return jobId;
    } catch (error) {
      if (isEmbatchError(error)) throw error;
      if (signal?.aborted === true) return await takeBack(access, name, options);
      if (!isThrottled(error) || attempt === patience.throttled) {
        return await findLost(access, name, error, options);
      }
      await sleep(patience.pauseMs * 2 ** attempt, signal);
    }
  }
}

const isThrottled = (error: unknown): boolean =>
  awsStatus(error) === 429 || /throttl|too ?many ?requests/i.test(awsErrorName(error));

async function findLost(
  access: BatchAccess,
  name: string,
  error: unknown,
  options: SubmitOptions,
): Promise<string> {
  const failure = awsFailure(error, `${access.place} did not take the job ${name}`);
  // A refusal is an answer.
  if (failure.code === 'USAGE' || isThrottled(error)) throw failure;
  const jobId = await lookFor(access, name, options).catch(() => {
    throw new EmbatchError('ENGINE', `${failure.message} Whether it was taken could not be found out.`, {
      cause: error,
      retryable: true,
    });
  });
  if (jobId === undefined) throw failure;
  options.log.warn(`AWS Batch took the job ${name}, though its answer was lost: ${describeError(error)}`);
  return jobId;
}

async function lookFor(
  access: BatchAccess,
  name: string,
  { known, patience, signal }: Pick<SubmitOptions, 'known' | 'patience' | 'signal'>,
): Promise<string | undefined> {
  for (let look = 1; ; look += 1) {
    const jobs = await jobsNamed(access, name, { signal });
    const found = jobs.find(({ jobId }) => jobId !== undefined && !known.has(jobId));
    if (found?.jobId !== undefined) return found.jobId;
    if (look === patience.looks) return undefined;
    await sleep(patience.pauseMs, signal);
  }
}

/** The request may have been under way when the caller gave up. */
async function takeBack(access: BatchAccess, name: string, options: SubmitOptions): Promise<never> {
  const jobId = await lookFor(access, name, { ...options, signal: undefined });
  if (jobId !== undefined) await terminateJob(access, jobId, {});
  throw options.signal?.reason;
}

/** Idempotent; children of an array end with it. Errors: USAGE, ENGINE. */
export async function terminateJob(
  { client, place }: BatchAccess,
  jobId: string,
  options: Abortable,
): Promise<void> {
  const { TerminateJobCommand } = await import('@aws-sdk/client-batch');
  try {
    await client.send(new TerminateJobCommand({ jobId, reason: STOP_REASON }), toSend(options));
  } catch (error) {
    options.signal?.throwIfAborted();
    throw awsFailure(error, `${place} did not end the job ${jobId}`);
  }
}
