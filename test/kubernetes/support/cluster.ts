import { writeFile } from 'node:fs/promises';
import https, { type RequestOptions } from 'node:https';
import { join } from 'node:path';
import { BatchV1Api, CoreV1Api, KubeConfig, RbacAuthorizationV1Api } from '@kubernetes/client-node';
import { kubeconfigFile } from '../../support/services.js';

/** The control plane of the tests as its administrator sees it. */
export interface TestCluster {
  readonly config: KubeConfig;
  readonly core: CoreV1Api;
  readonly batch: BatchV1Api;
  /** Its kubeconfig. */
  readonly file: string;
  /** Enforces the Pod Security Standard "restricted", and has the service account that pods run as by default. */
  createNamespace(name: string): Promise<void>;
  /** A kubeconfig in `folder` of a user who has just these rights in a namespace. */
  userWith(
    rights: readonly Right[],
    options: { namespace: string; name: string; folder: string },
  ): Promise<string>;
  /** Sends JSON as it is, for what the client would mend or drop. */
  post(path: string, body: unknown): Promise<Answer>;
  get(path: string): Promise<Answer>;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface Right {
  readonly apiGroups: string[];
  readonly resources: string[];
  readonly verbs: string[];
}

export function connectToTestCluster(): TestCluster {
  const file = kubeconfigFile();
  const config = new KubeConfig();
  config.loadFromFile(file);
  const core = config.makeApiClient(CoreV1Api);
  const rbac = config.makeApiClient(RbacAuthorizationV1Api);
  const server = config.getCurrentCluster()?.server ?? '';
  return {
    config,
    core,
    batch: config.makeApiClient(BatchV1Api),
    file,
    createNamespace: async (name) => {
      await core.createNamespace({
        body: { metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } } },
      });
      // What the service account controller would do.
      await core.createNamespacedServiceAccount({ namespace: name, body: { metadata: { name: 'default' } } });
    },
    userWith: async (rights, { namespace, name, folder }) => {
      const metadata = { name };
      await core.createNamespacedServiceAccount({ namespace, body: { metadata } });
      await rbac.createNamespacedRole({ namespace, body: { metadata, rules: [...rights] } });
      await rbac.createNamespacedRoleBinding({
        namespace,
        body: {
          metadata,
          subjects: [{ kind: 'ServiceAccount', name, namespace }],
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
        },
      });
      const { status } = await core.createNamespacedServiceAccountToken({
        namespace,
        name,
        body: { spec: { audiences: [] } },
      });
      const user = new KubeConfig();
      user.loadFromString(config.exportConfig());
      const { users } = user;
      user.loadFromOptions({
        clusters: user.clusters,
        contexts: user.contexts.map((context) => ({ ...context, namespace })),
        users: users.map((one) => ({ name: one.name, token: status?.token ?? '' })),
        currentContext: user.currentContext,
      });
      const own = join(folder, `${name}.kubeconfig`);
      await writeFile(own, user.exportConfig());
      return own;
    },
    post: async (path, body) => {
      const options: RequestOptions = { method: 'POST', headers: { 'content-type': 'application/json' } };
      await config.applyToHTTPSOptions(options);
      return send(`${server}${path}`, options, JSON.stringify(body));
    },
    get: async (path) => {
      const options: RequestOptions = { method: 'GET' };
      await config.applyToHTTPSOptions(options);
      return send(`${server}${path}`, options);
    },
  };
}

function send(url: string, options: RequestOptions, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = https.request(url, options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    request.once('error', reject);
    request.end(body);
  });
}
