import type { V1CronJob, V1Job, V1JobSpec } from '@kubernetes/client-node';
import type { Fleet } from '../engine.js';
import { podFailurePolicy } from './failure-policy.js';
import { CONTAINER_NAME, podTemplate } from './pod.js';
import type { Plain } from './plain.js';
import type { KubernetesSettings } from './settings.js';

/** Jobs that ended are kept for a week, with the logs of their pods. */
const TTL_SECONDS = 7 * 24 * 3600;
/** A start that the controller missed by more than this waits for the next one. */
const STARTING_DEADLINE_SECONDS = 3600;
const HISTORY_LIMIT = 3;

export const labelNames = {
  name: 'app.kubernetes.io/name',
  instance: 'app.kubernetes.io/instance',
  component: 'app.kubernetes.io/component',
  managedBy: 'app.kubernetes.io/managed-by',
} as const;

/** What is sent, and what `--print` shows. */
export type Manifest = Named<Plain<V1Job>, 'Job'> | Named<Plain<V1CronJob>, 'CronJob'>;

type Named<Model, Kind extends string> = Model & {
  readonly kind: Kind;
  readonly metadata: { readonly name: string };
};

/** An Indexed Job with one index a shard; with a schedule the CronJob that makes such Jobs. Asks nothing of a cluster. */
export function manifest(
  fleet: Fleet,
  settings: KubernetesSettings,
  namespace: string | undefined,
): Manifest {
  const labels = labelsOf(fleet);
  const annotations = {
    'embatch/source': fleet.labels.source,
    'embatch/sink': fleet.labels.sink,
    'embatch/state': fleet.labels.state,
  };
  const metadata = {
    name: fleet.name,
    ...(namespace === undefined ? {} : { namespace }),
    labels,
    annotations,
  };
  const spec = jobSpec(fleet, settings);
  if (settings.schedule === undefined) return { apiVersion: 'batch/v1', kind: 'Job', metadata, spec };
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata,
    spec: {
      schedule: settings.schedule,
      // Else it is the zone that the controller happens to live in.
      timeZone: 'Etc/UTC',
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: STARTING_DEADLINE_SECONDS,
      successfulJobsHistoryLimit: HISTORY_LIMIT,
      failedJobsHistoryLimit: HISTORY_LIMIT,
      // Copies: YAML would write the same object a second time as an alias.
      jobTemplate: { metadata: { labels: { ...labels }, annotations: { ...annotations } }, spec },
    },
  };
}

function labelsOf(fleet: { readonly name: string }): Record<string, string> {
  return {
    [labelNames.name]: 'embatch',
    [labelNames.instance]: fleet.name,
    [labelNames.component]: 'shard',
    [labelNames.managedBy]: 'embatch',
  };
}

function jobSpec(fleet: Fleet, settings: KubernetesSettings): Plain<V1JobSpec> {
  const parallelism = Math.min(settings.parallelism ?? fleet.shards, fleet.shards);
  return {
    completionMode: 'Indexed',
    completions: fleet.shards,
    parallelism,
    backoffLimitPerIndex: settings.retries,
    podFailurePolicy: podFailurePolicy(CONTAINER_NAME),
    // A shard is started again only when its former pod has ended for good: never two at once.
    podReplacementPolicy: 'Failed',
    ttlSecondsAfterFinished: TTL_SECONDS,
    ...(settings.timeoutMs === undefined
      ? {}
      : { activeDeadlineSeconds: deadlineSeconds(settings.timeoutMs, fleet.shards, parallelism) }),
    template: podTemplate(fleet, settings, labelsOf(fleet)),
  };
}

/**
 * For the Job and not for the pod: a pod past its own deadline gets SIGTERM, ends with 143, and that would be ignored and
 * started again. Where not all shards run at once, as many times the time as there are rounds.
 */
function deadlineSeconds(timeoutMs: number, shards: number, parallelism: number): number {
  return Math.ceil(timeoutMs / 1000) * Math.ceil(shards / parallelism);
}
