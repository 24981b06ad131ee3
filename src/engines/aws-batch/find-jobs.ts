import type {
  BatchClient,
  JobDetail,
  JobStatus,
  JobSummary,
  ListJobsCommandInput,
} from '@aws-sdk/client-batch';
import type { Abortable } from '../../core/interfaces.js';
import { awsFailure } from '../aws-failure.js';
import { toSend } from '../aws-options.js';

const statuses = [
  'SUBMITTED',
  'PENDING',
  'RUNNABLE',
  'STARTING',
  'RUNNING',
  'SUCCEEDED',
  'FAILED',
] as const satisfies readonly JobStatus[];

export const hasEnded = ({ status }: { readonly status?: string | undefined }): boolean =>
  status === 'SUCCEEDED' || status === 'FAILED';

export interface BatchAccess {
  readonly client: BatchClient;
  readonly queue: string;
  /** For messages. */
  readonly place: string;
}

/** Jobs of this name, newest first: Batch does not keep names apart, and forgets a job some days after its end. */
export async function jobsNamed(
  access: BatchAccess,
  name: string,
  options: Abortable,
): Promise<JobSummary[]> {
  const jobs = await listJobs(
    access,
    { jobQueue: access.queue, filters: [{ name: 'JOB_NAME', values: [name] }] },
    options,
  );
  // The filter does not look at upper and lower case, and children bear the name of their array.
  return jobs
    .filter(({ jobName, jobId }) => jobName === name && childIndex(jobId) === undefined)
    .sort((a, b) => (b.createdAt ?? 0) - (a.createdAt ?? 0));
}

/** The index of an array's child, whose id is `PARENT:INDEX`; undefined for other jobs. */
export function childIndex(jobId: string | undefined): number | undefined {
  const digits = /:(\d+)$/.exec(jobId ?? '')?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The children of an array job whose status is one of those that its summary counts. */
export async function childrenOf(
  access: BatchAccess,
  { jobId, arrayProperties }: JobDetail,
  options: Abortable,
): Promise<JobSummary[]> {
  const counts = arrayProperties?.statusSummary ?? {};
  const children: JobSummary[] = [];
  // Without a status only those are listed that run.
  for (const jobStatus of statuses.filter((status) => counts[status] !== 0)) {
    children.push(...(await listJobs(access, { arrayJobId: jobId, jobStatus }, options)));
  }
  return children;
}

async function listJobs(
  { client, place }: BatchAccess,
  input: ListJobsCommandInput,
  options: Abortable,
): Promise<JobSummary[]> {
  const { ListJobsCommand } = await import('@aws-sdk/client-batch');
  const jobs: JobSummary[] = [];
  let nextToken: string | undefined;
  try {
    do {
      const page: Awaited<ReturnType<typeof send>> = await send(nextToken);
      jobs.push(...(page.jobSummaryList ?? []));
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
    return jobs;
  } catch (error) {
    options.signal?.throwIfAborted();
    throw awsFailure(error, `${place} did not list jobs`);
  }

  function send(from: string | undefined) {
    return client.send(
      new ListJobsCommand({ ...input, ...(from === undefined ? {} : { nextToken: from }) }),
      toSend(options),
    );
  }
}

/** undefined where Batch does not know it, or no longer. */
export async function describeJob(
  { client, place }: BatchAccess,
  jobId: string,
  options: Abortable,
): Promise<JobDetail | undefined> {
  const { DescribeJobsCommand } = await import('@aws-sdk/client-batch');
  try {
    const { jobs = [] } = await client.send(new DescribeJobsCommand({ jobs: [jobId] }), toSend(options));
    return jobs.find((job) => job.jobId === jobId);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw awsFailure(error, `${place} did not describe the job ${jobId}`);
  }
}
