import { EmbatchError } from '../../core/errors.js';
import type { Abortable } from '../../core/interfaces.js';
import type { Options } from '../../core/options.js';
import type { EngineContext } from '../context.js';
import type { Engine, Fleet, FleetRef } from '../engine.js';
import { addressOf, namespaceOf } from './cluster.js';
import { createKubernetesClient, type KubernetesClient } from './client.js';
import { fromHandle, toHandle, type Handle } from './handle.js';
import { loadKubeConfig } from './kubeconfig.js';
import { labelNames, manifest, type Manifest } from './manifest.js';
import { kubernetesSettings } from './settings.js';
import { stateOfFleet } from './state-of-fleet.js';
import { submitManifest } from './submit-manifest.js';

/** More need `maxFailedIndexes`, and are more than the API server takes of a Job that works on all of them at once. */
const MAX_COMPLETIONS = 100_000;
/** Linux takes 128 KiB for a variable with its name. */
const MAX_VALUE_BYTES = 120 * 1024;
const DEFAULT_NAMESPACE = 'default';

/** Indexed Jobs and CronJobs by the official client. Connects to nothing yet. Error: USAGE. */
export async function createKubernetesEngine(options: Options, context: EngineContext): Promise<Engine> {
  const settings = kubernetesSettings(options);
  const config = await loadKubeConfig(context.environment);
  const address = config === undefined ? undefined : addressOf(config);
  const ownNamespace = settings.namespace ?? (config === undefined ? undefined : namespaceOf(config));
  const namespace = ownNamespace ?? DEFAULT_NAMESPACE;
  const place = `namespace ${namespace} of ${address ?? 'a cluster that no kubeconfig names'}`;

  let client: Promise<KubernetesClient> | undefined;
  const connected = (): Promise<KubernetesClient> => {
    if (config === undefined) throw noKubeConfig();
    return (client ??= createKubernetesClient(config));
  };
  const found = (fleet: FleetRef): Handle =>
    fromHandle(fleet.handle) ?? {
      kind: settings.schedule === undefined ? 'Job' : 'CronJob',
      namespace,
      name: fleet.name,
    };
  const built = (fleet: Fleet): Manifest => {
    checkFleet(fleet);
    return manifest(fleet, settings, namespace);
  };

  return {
    name: 'kubernetes',
    place,
    maxShards: MAX_COMPLETIONS,
    format: 'yaml',
    onlyZeroSucceeds: true,
    refusesValue,
    requests: (fleet) => [{ call: undefined, body: { ...built(fleet) } }],
    submit: async (fleet, { signal }: Abortable = {}) => {
      const wanted = built(fleet);
      await submitManifest(await connected(), wanted, namespace, { follow: settings.wait, signal });
      return toHandle({ kind: wanted.kind, namespace, name: fleet.name });
    },
    state: async (fleet, abortable) => stateOfFleet(await connected(), found(fleet), context.log, abortable),
    stop: async (fleet, abortable) => {
      const { kind, namespace: where, name } = found(fleet);
      const connection = await connected();
      // Suspending and not deleting: pods get SIGTERM all the same, and the Job stays to tell what became of it.
      if (kind === 'Job') {
        await connection.suspendJob(where, name, abortable);
        return;
      }
      await connection.suspendCronJob(where, name, abortable);
      for (const job of await connection.listJobs(where, selectorOf(name), abortable)) {
        const started = job.metadata?.name;
        if (started !== undefined) await connection.suspendJob(where, started, abortable);
      }
    },
    logsOf: (fleet) => {
      const { namespace: where, name } = found(fleet);
      return `kubectl logs --namespace ${where} --selector ${selectorOf(name)} --prefix --tail=-1`;
    },
    close: async () => undefined,
  };
}

const selectorOf = (name: string): string => `${labelNames.instance}=${name}`;

function checkFleet(fleet: Fleet): void {
  if (fleet.shards > MAX_COMPLETIONS) {
    throw new EmbatchError(
      'USAGE',
      `--shards ${fleet.shards} is more than the ${MAX_COMPLETIONS} indexes of a Kubernetes Job; take fewer.`,
    );
  }
}

function refusesValue(value: string): string | undefined {
  if (value.includes('\0')) return 'with a NUL character';
  return Buffer.byteLength(value) > MAX_VALUE_BYTES ? `longer than ${MAX_VALUE_BYTES} bytes` : undefined;
}

function noKubeConfig(): EmbatchError {
  return new EmbatchError(
    'ENGINE',
    'no Kubernetes cluster to submit to: KUBECONFIG names no file that is there, ~/.kube/config is missing, and this is ' +
      'not a pod with a service account. Set KUBECONFIG, or use --print to see the manifest.',
  );
}
