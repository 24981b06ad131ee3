import { EmbatchError } from '../../core/errors.js';
import type { Abortable } from '../../core/interfaces.js';
import { mapConcurrent } from '../../core/streams.js';
import { lastLine, notRay, type Answer, type RayClient } from './client.js';
import { parseJob, type RayJob } from './job-state.js';
import { SUBMIT_PATH, type JobRequest } from './requests.js';

/** What Ray may be asked at once: its head starts a supervisor for each job. */
const CONCURRENCY = 8;

/** All settle: what was asked is known when a failure is. */
export async function settleAll<In, Out>(
  items: readonly In[],
  work: (item: In) => Promise<Out>,
): Promise<PromiseSettledResult<Out>[]> {
  const settled: PromiseSettledResult<Out>[] = [];
  const outcomes = mapConcurrent(
    items,
    CONCURRENCY,
    async (item) => (await Promise.allSettled([work(item)]))[0],
  );
  for await (const outcome of outcomes) settled.push(outcome);
  return settled;
}

/** undefined where Ray does not know the job. */
export async function getJob(client: RayClient, id: string, options: Abortable): Promise<RayJob | undefined> {
  const answer = await client.get(jobPath(id), options);
  if (answer.status === 404 && isAboutJob(answer, id)) return undefined;
  const job = answer.status === 200 ? parseJob(answer.text) : undefined;
  if (job === undefined) throw unexpected(client, `to the question for ${id}`, answer);
  return job;
}

/** In the order of `ids`. */
export async function getJobs(
  client: RayClient,
  ids: readonly string[],
  options: Abortable,
): Promise<(RayJob | undefined)[]> {
  const jobs: (RayJob | undefined)[] = [];
  for await (const job of mapConcurrent(ids, CONCURRENCY, (id) => getJob(client, id, options)))
    jobs.push(job);
  return jobs;
}

/** Error: USAGE for what Ray refuses, a name in use among it; ENGINE where it cannot be told, or it failed. */
export async function submitJob(client: RayClient, request: JobRequest, options: Abortable): Promise<void> {
  const id = request.submission_id;
  const answer = await client.post(SUBMIT_PATH, request, options);
  if (answer.status === 200) return;
  if (answer.text.includes('already exists')) throw inUse(client, id);
  if (answer.status === 400) {
    throw new EmbatchError(
      'USAGE',
      `Ray at ${client.address} refused the job ${id}: ${lastLine(answer.text)}.`,
    );
  }
  if (answer.status === 404 || answer.status === 405) {
    throw notRay(client.address, `HTTP ${answer.status} to POST ${SUBMIT_PATH}`);
  }
  throw unexpected(client, `to the job ${id}`, answer);
}

export function inUse({ address }: RayClient, id: string, status = ''): EmbatchError {
  const state = status === '' ? '' : ` (${status})`;
  return new EmbatchError(
    'USAGE',
    `Ray at ${address} has a job ${id} already${state}: this fleet was started before, and nothing was started now. See it with \`ray job list\`; a job that has ended can be removed with \`ray job delete ${id}\`.`,
  );
}

/** Asks for its end and does not wait for it: a job that waits for CPUs may never get there. */
export async function stopJob(client: RayClient, id: string, options: Abortable): Promise<void> {
  const answer = await client.post(`${jobPath(id)}/stop`, undefined, options);
  if (answer.status === 200 || (answer.status === 404 && isAboutJob(answer, id))) return;
  throw unexpected(client, `to the stop of ${id}`, answer);
}

/** For a job that has ended; others are refused. Whether it is gone is for the caller to find out. */
export async function deleteJob(client: RayClient, id: string): Promise<void> {
  await client.delete(jobPath(id));
}

const jobPath = (id: string): string => `/api/jobs/${encodeURIComponent(id)}`;

/** A proxy or another server has 404s of its own. */
const isAboutJob = ({ text }: Answer, id: string): boolean => text.includes(id);

function unexpected({ address }: RayClient, what: string, { status, text }: Answer): EmbatchError {
  const words = lastLine(text);
  return new EmbatchError(
    'ENGINE',
    `Ray at ${address} answered HTTP ${status} ${what}: ${words === '' ? 'no words' : words}.`,
    { retryable: status >= 500 },
  );
}
