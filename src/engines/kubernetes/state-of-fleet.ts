import type { V1Job } from '@kubernetes/client-node';
import type { Abortable, Logger } from '../../core/interfaces.js';
import type { FleetState } from '../engine.js';
import { wasRefusedWith, type KubernetesClient } from './client.js';
import { fleetState } from './fleet-state.js';
import type { Handle } from './handle.js';
import { labelNames } from './manifest.js';

/** Of larger fleets the Job's own counts must do. */
const MAX_PODS = 1000;

/** Of a CronJob the state of the Job that it started last. undefined where there is no such Job or CronJob. */
export async function stateOfFleet(
  client: KubernetesClient,
  { kind, namespace, name }: Handle,
  log: Logger,
  abortable: Abortable = {},
): Promise<FleetState | undefined> {
  if (kind === 'Job') {
    const job = await client.getJob(namespace, name, abortable);
    return job === undefined ? undefined : stateOfJob(client, job, namespace, log, abortable);
  }
  const cronJob = await client.getCronJob(namespace, name, abortable);
  if (cronJob === undefined) return undefined;
  const jobs = await client.listJobs(namespace, `${labelNames.instance}=${name}`, abortable);
  const [last] = [...jobs].sort((a, b) => createdAt(b) - createdAt(a));
  if (last !== undefined) return stateOfJob(client, last, namespace, log, abortable);
  const { suspend, schedule = '' } = cronJob.spec ?? {};
  return suspend === true
    ? { phase: 'stopped', reason: 'the CronJob is suspended', shards: [] }
    : { phase: 'waiting', reason: `scheduled "${schedule}" UTC, not started yet`, shards: [] };
}

async function stateOfJob(
  client: KubernetesClient,
  job: V1Job,
  namespace: string,
  log: Logger,
  abortable: Abortable,
): Promise<FleetState> {
  const selector = `batch.kubernetes.io/job-name=${job.metadata?.name ?? ''}`;
  const isCheap = (job.spec?.completions ?? 0) <= MAX_PODS;
  try {
    const pods = isCheap ? await client.listPods(namespace, selector, { ...abortable, limit: MAX_PODS }) : [];
    return fleetState(job, pods);
  } catch (error) {
    if (!wasRefusedWith(error, 403)) throw error;
    log.debug('the pods may not be listed: exit codes of single shards are not known', { namespace });
    return fleetState(job, []);
  }
}

function createdAt(job: V1Job): number {
  return job.metadata?.creationTimestamp?.getTime() ?? 0;
}
