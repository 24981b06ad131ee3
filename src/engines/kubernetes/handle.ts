/** Where an object of ours is in a cluster. */
export interface Handle {
  readonly kind: 'Job' | 'CronJob';
  readonly namespace: string;
  readonly name: string;
}

/** As the API server's paths have it; the namespace may be another one the next time, if the kubeconfig is. */
export function toHandle({ kind, namespace, name }: Handle): string {
  return `namespaces/${namespace}/${kind === 'Job' ? 'jobs' : 'cronjobs'}/${name}`;
}

/** undefined for what is none. */
export function fromHandle(handle: string | undefined): Handle | undefined {
  const parts = /^namespaces\/(?<namespace>[^/]+)\/(?<kind>jobs|cronjobs)\/(?<name>[^/]+)$/.exec(
    handle ?? '',
  )?.groups;
  if (parts === undefined) return undefined;
  const { namespace = '', kind, name = '' } = parts;
  return { kind: kind === 'jobs' ? 'Job' : 'CronJob', namespace, name };
}
