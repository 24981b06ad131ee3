import type { ConfigurationOptions, KubeConfig, V1CronJob, V1Job, V1Pod } from '@kubernetes/client-node';
import { isEmbatchError } from '../../core/errors.js';
import type { Abortable } from '../../core/interfaces.js';
import { statusOf } from './api-errors.js';
import { openCluster } from './cluster.js';
import type { Manifest } from './manifest.js';
import type { Plain } from './plain.js';

/** Pods a page, as kubectl does it. */
const PAGE = 500;

/** The calls that we make; of each it is known what it does. Errors: USAGE for a refusal, else ENGINE. */
export interface KubernetesClient {
  readonly address: string;
  /** With `dryRun` everything is checked and nothing stored. Unknown fields are refused. */
  create(
    wanted: Manifest,
    namespace: string,
    options: Abortable & { readonly dryRun: boolean },
  ): Promise<void>;
  getJob(namespace: string, name: string, options?: Abortable): Promise<V1Job | undefined>;
  getCronJob(namespace: string, name: string, options?: Abortable): Promise<V1CronJob | undefined>;
  listJobs(namespace: string, selector: string, options?: Abortable): Promise<readonly V1Job[]>;
  /** At most about `limit` of them. */
  listPods(
    namespace: string,
    selector: string,
    options: Abortable & { readonly limit: number },
  ): Promise<readonly V1Pod[]>;
  hasServiceAccount(namespace: string, name: string, options?: Abortable): Promise<boolean>;
  /** Its pods get SIGTERM. Idempotent, also where there is none. */
  suspendJob(namespace: string, name: string, options?: Abortable): Promise<void>;
  /** Starts no more Jobs; those under way go on. Idempotent, also where there is none. */
  suspendCronJob(namespace: string, name: string, options?: Abortable): Promise<void>;
}

export async function createKubernetesClient(config: KubeConfig): Promise<KubernetesClient> {
  const cluster = await openCluster(config);
  const { batch, core, address } = cluster;
  const safe = <Answer>(
    what: string,
    { signal }: Abortable,
    call: (options: ConfigurationOptions) => Promise<Answer>,
  ): Promise<Answer> => cluster.call(call, { what, idempotent: true, signal });

  return {
    address,
    create: async (wanted, namespace, { dryRun, signal }) => {
      const what = `${dryRun ? 'submit' : 'create'} ${wanted.kind} ${wanted.metadata.name} in namespace ${namespace}`;
      const settings = { namespace, fieldValidation: 'Strict', ...(dryRun ? { dryRun: 'All' } : {}) };
      await cluster.call<unknown>(
        (options) =>
          wanted.kind === 'Job'
            ? batch.createNamespacedJob({ ...settings, body: asModel<V1Job>(wanted) }, options)
            : batch.createNamespacedCronJob({ ...settings, body: asModel<V1CronJob>(wanted) }, options),
        { what, idempotent: dryRun, signal },
      );
    },
    getJob: (namespace, name, options = {}) =>
      unlessMissing(
        safe(`read the Job ${name} in namespace ${namespace}`, options, (call) =>
          batch.readNamespacedJob({ namespace, name }, call),
        ),
      ),
    getCronJob: (namespace, name, options = {}) =>
      unlessMissing(
        safe(`read the CronJob ${name} in namespace ${namespace}`, options, (call) =>
          batch.readNamespacedCronJob({ namespace, name }, call),
        ),
      ),
    listJobs: async (namespace, labelSelector, options = {}) => {
      const { items } = await safe(`list the Jobs of namespace ${namespace}`, options, (call) =>
        batch.listNamespacedJob({ namespace, labelSelector }, call),
      );
      return items;
    },
    listPods: async (namespace, labelSelector, { limit, ...options }) => {
      const pods: V1Pod[] = [];
      let next: string | undefined;
      do {
        const page = {
          namespace,
          labelSelector,
          limit: PAGE,
          ...(next === undefined ? {} : { _continue: next }),
        };
        const { items, metadata } = await safe(`list the pods of namespace ${namespace}`, options, (call) =>
          core.listNamespacedPod(page, call),
        );
        pods.push(...items);
        next = metadata?._continue;
      } while (next !== undefined && next !== '' && pods.length < limit);
      return pods;
    },
    hasServiceAccount: async (namespace, name, options = {}) =>
      (await unlessMissing(
        safe(`read the service account ${name} in namespace ${namespace}`, options, (call) =>
          core.readNamespacedServiceAccount({ namespace, name }, call),
        ),
      )) !== undefined,
    suspendJob: async (namespace, name, options = {}) => {
      await unlessMissing(
        safe(`suspend the Job ${name} in namespace ${namespace}`, options, (call) =>
          batch.patchNamespacedJob({ namespace, name, body: suspended }, call),
        ),
      );
    },
    suspendCronJob: async (namespace, name, options = {}) => {
      await unlessMissing(
        safe(`suspend the CronJob ${name} in namespace ${namespace}`, options, (call) =>
          batch.patchNamespacedCronJob({ namespace, name, body: suspended }, call),
        ),
      );
    },
  };
}

/** The client asks for an instance of a class, and reads nothing but its properties. */
function asModel<Model>(plain: Plain<Model>): Model {
  return plain as Model;
}

/** RFC 6902: `add` also replaces. */
const suspended = [{ op: 'add', path: '/spec/suspend', value: true }];

async function unlessMissing<Answer>(answer: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (wasRefusedWith(error, 404)) return undefined;
    throw error;
  }
}

/** Whether the API server refused a call of ours with this HTTP status. */
export function wasRefusedWith(error: unknown, status: number): boolean {
  return isEmbatchError(error, 'USAGE') && statusOf(error.cause) === status;
}
