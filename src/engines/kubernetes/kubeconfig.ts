import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { describeError, EmbatchError } from '../../core/errors.js';
import type { EngineContext } from '../context.js';

/** Where the kubelet mounts the token of a pod's service account. */
const IN_CLUSTER_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/**
 * The kubeconfig that kubectl would take: the files of KUBECONFIG, else ~/.kube/config, else the service account of the
 * pod that we run in. undefined where there is none of them. Error: USAGE where one cannot be read.
 */
export async function loadKubeConfig(
  environment: EngineContext['environment'],
): Promise<KubeConfig | undefined> {
  const client = await import('@kubernetes/client-node');
  const files = kubeConfigFiles(environment);
  if (files.length === 0) {
    if (!existsSync(IN_CLUSTER_TOKEN)) return undefined;
    const config = new client.KubeConfig();
    config.loadFromCluster();
    return config;
  }
  const merged = new client.KubeConfig();
  for (const file of files) {
    try {
      const config = new client.KubeConfig();
      config.loadFromFile(file);
      // As in kubectl, the first file that names a context decides.
      merged.mergeConfig(config, Boolean(merged.getCurrentContext()));
    } catch (error) {
      throw new EmbatchError('USAGE', `the kubeconfig ${file} cannot be read: ${describeError(error)}`, {
        cause: error,
      });
    }
  }
  if (merged.getCurrentCluster() === null) {
    throw new EmbatchError(
      'USAGE',
      `the kubeconfig ${files.join(', ')} has no current context with a cluster; choose one with kubectl config use-context.`,
    );
  }
  return merged;
}

function kubeConfigFiles(environment: EngineContext['environment']): string[] {
  const named = (environment['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  const home = environment['HOME'] ?? environment['USERPROFILE'] ?? homedir();
  const files = named.length > 0 ? named : [join(home, '.kube', 'config')];
  return files.filter((file) => existsSync(file));
}
