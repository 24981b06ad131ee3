import { EmbatchError, isEmbatchError } from '../../core/errors.js';
import type { Abortable } from '../../core/interfaces.js';
import { statusOf } from './api-errors.js';
import { wasRefusedWith, type KubernetesClient } from './client.js';
import type { Manifest } from './manifest.js';

/**
 * Creates the Job or CronJob. All that the API server and its admission plug-ins would refuse is asked by a dry run first.
 * Errors: USAGE for what they refuse, a name in use and a right that is missing; ENGINE where the cluster is not reached.
 */
export async function submitManifest(
  client: KubernetesClient,
  wanted: Manifest,
  namespace: string,
  { follow, signal }: Abortable & { readonly follow: boolean },
): Promise<void> {
  await create(client, wanted, namespace, { dryRun: true, signal });
  await checkServiceAccount(client, wanted, namespace, { signal });
  // What is to be followed must be readable: better to know that while nothing runs.
  if (follow) await exists(client, wanted, namespace, { signal });
  try {
    await create(client, wanted, namespace, { dryRun: false, signal });
  } catch (error) {
    const answered = !isEmbatchError(error, 'ENGINE') || statusOf(error.cause) !== undefined;
    if (answered || signal?.aborted === true) throw error;
    await settleUnanswered(client, wanted, namespace, error);
  }
}

async function create(
  client: KubernetesClient,
  wanted: Manifest,
  namespace: string,
  options: Abortable & { readonly dryRun: boolean },
): Promise<void> {
  try {
    await client.create(wanted, namespace, options);
  } catch (error) {
    if (!wasRefusedWith(error, 409)) throw error;
    const { kind, name } = identity(wanted);
    const object = `${kind.toLowerCase()} ${name} --namespace ${namespace}`;
    throw new EmbatchError(
      'USAGE',
      `a ${kind} ${name} is there already in namespace ${namespace} of ${client.address}; nothing was submitted. See it with ` +
        `kubectl describe ${object}; if it is to go, kubectl delete ${object} and submit again.`,
      { cause: error },
    );
  }
}

/** Pods of a service account that is not there are refused one by one, long after the Job was taken. */
async function checkServiceAccount(
  client: KubernetesClient,
  wanted: Manifest,
  namespace: string,
  abortable: Abortable,
): Promise<void> {
  const spec = wanted.kind === 'Job' ? wanted.spec : wanted.spec?.jobTemplate.spec;
  const name = spec?.template.spec?.serviceAccountName;
  if (name === undefined) return;
  const found = await client.hasServiceAccount(namespace, name, abortable).catch((error: unknown) => {
    // Who may create Jobs need not be allowed to read service accounts.
    if (wasRefusedWith(error, 403)) return true;
    throw error;
  });
  if (found) return;
  throw new EmbatchError(
    'USAGE',
    `--service-account ${name}: there is none of this name in namespace ${namespace}; see kubectl get serviceaccounts ` +
      `--namespace ${namespace}.`,
  );
}

/** The answer to the creation was lost: what is there now tells whether it was carried out. */
async function settleUnanswered(
  client: KubernetesClient,
  wanted: Manifest,
  namespace: string,
  error: unknown,
): Promise<void> {
  const { kind, name } = identity(wanted);
  const there = await exists(client, wanted, namespace, {}).catch((cause: unknown) => {
    throw new EmbatchError(
      'ENGINE',
      `${client.address} did not answer, and whether the ${kind} ${name} was created is not known; look with kubectl get ` +
        `${kind.toLowerCase()} ${name} --namespace ${namespace} before you submit again.`,
      { cause },
    );
  });
  if (!there) throw error;
}

async function exists(
  client: KubernetesClient,
  wanted: Manifest,
  namespace: string,
  abortable: Abortable,
): Promise<boolean> {
  const { kind, name } = identity(wanted);
  const found = await (kind === 'Job'
    ? client.getJob(namespace, name, abortable)
    : client.getCronJob(namespace, name, abortable));
  return found !== undefined;
}

function identity(wanted: Manifest): { readonly kind: Manifest['kind']; readonly name: string } {
  return { kind: wanted.kind, name: wanted.metadata.name };
}
