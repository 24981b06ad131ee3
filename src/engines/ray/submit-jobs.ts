import { describeError, EmbatchError, isEmbatchError } from '../../core/errors.js';
import type { Abortable, Logger } from '../../core/interfaces.js';
import { sleep } from '../../core/streams.js';
import type { RayClient } from './client.js';
import { hasEnded } from './job-state.js';
import { deleteJob, getJob, getJobs, inUse, settleAll, stopJob, submitJob } from './jobs.js';
import type { JobRequest } from './requests.js';

export interface SubmitPatience {
  /** Between two looks at a job. */
  readonly pollMs: number;
  /** A request whose answer was lost may still be under way: after so many looks it counts as not arrived. */
  readonly looks: number;
  /** Until jobs that are taken back have ended; longer than they may take to stop. */
  readonly takeBackMs: number;
}

export const submitPatience: SubmitPatience = { pollMs: 1000, looks: 3, takeBackMs: 20_000 };

/**
 * All jobs or none: what Ray took is stopped and removed where it did not take all. Nothing is sent twice: where an answer
 * is lost, the job is looked for.
 */
export async function submitJobs(
  client: RayClient,
  requests: readonly JobRequest[],
  log: Logger,
  { signal }: Abortable,
  patience: SubmitPatience = submitPatience,
): Promise<void> {
  await refuseNamesInUse(client, requests, { signal });
  const mayRun: string[] = [];
  const outcomes = await settleAll(requests, async (request) => {
    const id = request.submission_id;
    try {
      await submitJob(client, request, { signal });
    } catch (error) {
      if (isEmbatchError(error, 'USAGE')) throw error;
      // Nothing of this name was there a moment ago: what is there now was taken from us.
      const found = await wasTaken(client, id, patience, signal).catch(() => undefined);
      if (found !== false) mayRun.push(id);
      if (found !== true) throw error;
      log.warn(`ray took the job ${id}, though its answer was lost: ${describeError(error)}`);
      return;
    }
    mayRun.push(id);
  });
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failure === undefined) return;
  const left = await takeBack(client, mayRun, patience);
  throw withLeftovers(failure.reason, left, client.address);
}

async function refuseNamesInUse(
  client: RayClient,
  requests: readonly JobRequest[],
  options: Abortable,
): Promise<void> {
  const jobs = await getJobs(
    client,
    requests.map((request) => request.submission_id),
    options,
  );
  const found = jobs.find((job) => job !== undefined);
  if (found !== undefined) throw inUse(client, found.submission_id, found.status);
}

async function wasTaken(
  client: RayClient,
  id: string,
  { looks, pollMs }: SubmitPatience,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  for (let look = 1; ; look += 1) {
    if ((await getJob(client, id, { signal })) !== undefined) return true;
    if (look === looks) return false;
    await sleep(pollMs, signal);
  }
}

/** The ids that may still run. Not ended by the caller's signal: it is what may have brought us here. */
async function takeBack(
  client: RayClient,
  ids: readonly string[],
  patience: SubmitPatience,
): Promise<string[]> {
  const giveUp = Date.now() + patience.takeBackMs;
  const outcomes = await settleAll(ids, async (id) => {
    await stopJob(client, id, {});
    return await removeJob(client, id, giveUp, patience.pollMs);
  });
  return ids.filter((_, index) => {
    const outcome = outcomes[index];
    return outcome?.status !== 'fulfilled' || !outcome.value;
  });
}

/**
 * True where the job is gone. The part of Ray that watches a job may write down its end once more after it was deleted
 * (job_manager.py, a loop of a second), so that it is there again: it is given time before, and looked at twice after.
 */
async function removeJob(client: RayClient, id: string, giveUp: number, pollMs: number): Promise<boolean> {
  let ended = 0;
  let absent = 0;
  for (;;) {
    const job = await getJob(client, id, {});
    absent = job === undefined ? absent + 1 : 0;
    if (absent === 2) return true;
    if (job !== undefined && hasEnded(job)) {
      ended += 1;
      if (ended >= 3) await deleteJob(client, id);
    }
    if (Date.now() >= giveUp) return ended > 0;
    await sleep(pollMs);
  }
}

function withLeftovers(reason: unknown, left: readonly string[], address: string): unknown {
  if (left.length === 0) return reason;
  const code = isEmbatchError(reason) ? reason.code : 'ENGINE';
  return new EmbatchError(
    code,
    `${describeError(reason)} These jobs were taken and could not be taken back: stop and delete them with \`ray job stop\` and \`ray job delete\` (--address ${address}): ${left.join(', ')}.`,
    { cause: reason },
  );
}
