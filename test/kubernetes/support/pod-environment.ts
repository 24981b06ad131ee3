import type { CoreV1Api, V1EnvVar, V1Pod } from '@kubernetes/client-node';

/** The container cannot be started until somebody makes the secret. */
export class MissingSecret extends Error {}

/** The variables of a pod's first container as the kubelet makes them: secrets first, then its own, with `$(NAME)` replaced. */
export async function environmentOf(pod: V1Pod, core: CoreV1Api): Promise<Record<string, string>> {
  const container = pod.spec?.containers[0];
  const variables: Record<string, string> = {};
  for (const { secretRef } of container?.envFrom ?? []) {
    if (secretRef?.name === undefined) throw new Error('only secrets are known in envFrom');
    Object.assign(variables, await readSecret(core, pod.metadata?.namespace ?? '', secretRef.name));
  }
  for (const variable of container?.env ?? []) variables[variable.name] = valueOf(variable, pod, variables);
  return variables;
}

async function readSecret(core: CoreV1Api, namespace: string, name: string): Promise<Record<string, string>> {
  const secret = await core.readNamespacedSecret({ namespace, name }).catch(() => {
    throw new MissingSecret(`secret "${name}" not found`);
  });
  return Object.fromEntries(
    Object.entries(secret.data ?? {}).map(([key, value]) => [
      key,
      Buffer.from(value, 'base64').toString('utf8'),
    ]),
  );
}

function valueOf(variable: V1EnvVar, pod: V1Pod, known: Readonly<Record<string, string>>): string {
  const path = variable.valueFrom?.fieldRef?.fieldPath;
  if (path === undefined) return expanded(variable.value ?? '', known);
  const label = /^metadata\.(?<map>labels|annotations)\['(?<key>[^']+)'\]$/.exec(path)?.groups;
  if (label === undefined) throw new Error(`the field ${path} is not known`);
  return pod.metadata?.[label['map'] === 'labels' ? 'labels' : 'annotations']?.[label['key'] ?? ''] ?? '';
}

/** https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/ */
export function expanded(text: string, known: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$|\$\((?<name>[^)]+)\)/g, (match, name: string | undefined) =>
    name === undefined ? '$' : (known[name] ?? match),
  );
}
