import type { V1EnvVar, V1PodTemplateSpec, V1ResourceRequirements } from '@kubernetes/client-node';
import type { Fleet } from '../engine.js';
import type { Plain } from './plain.js';
import type { KubernetesSettings } from './settings.js';

export const CONTAINER_NAME = 'embatch';

/** Between SIGTERM and SIGKILL; a drain takes 3 s at most (docs/stopping-and-resuming.md). */
const GRACE_SECONDS = 30;

/** One shard. Fulfils the Pod Security Standard "restricted" where the image names a user by number. */
export function podTemplate(
  fleet: Fleet,
  settings: KubernetesSettings,
  labels: Record<string, string>,
): Plain<V1PodTemplateSpec> {
  return {
    metadata: { labels },
    spec: {
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: GRACE_SECONDS,
      ...(settings.serviceAccount === undefined ? {} : { serviceAccountName: settings.serviceAccount }),
      // It asks nothing of the cluster. What carries an IAM role into pods brings a token of its own.
      automountServiceAccountToken: false,
      // A service called `embatch` would become variables such as EMBATCH_PORT, which are options that do not exist.
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: CONTAINER_NAME,
          image: settings.image,
          args: fleet.arguments.map(literal),
          env: environment(fleet),
          ...(settings.secrets.length === 0
            ? {}
            : { envFrom: settings.secrets.map((name) => ({ secretRef: { name } })) }),
          ...resources(settings),
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'FallbackToLogsOnError',
          volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
        },
      ],
      volumes: [{ name: 'tmp', emptyDir: {} }],
    },
  };
}

/** The index comes from the controller as JOB_COMPLETION_INDEX; how many there are it tells nowhere. */
function environment(fleet: Fleet): Plain<V1EnvVar>[] {
  const variables = { ...fleet.environment, EMBATCH_SHARDS: String(fleet.shards) };
  return Object.entries(variables).map(([name, value]) => ({ name, value: literal(value) }));
}

/** In variables and arguments `$(NAME)` is replaced, and `$$` becomes `$`: only so does every text arrive as it is. */
function literal(text: string): string {
  return text.replaceAll('$', '$$$$');
}

/** Limits as requests: a shard makes as many workers as CPUs are granted, and all of the node's where nothing limits it. */
function resources({ cpu, memory }: KubernetesSettings): { resources?: Plain<V1ResourceRequirements> } {
  const wanted = { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }) };
  return Object.keys(wanted).length === 0 ? {} : { resources: { requests: wanted, limits: { ...wanted } } };
}
