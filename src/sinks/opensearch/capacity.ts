import type { Abortable, Logger } from '../../core/interfaces.js';
import { createAccess } from './access.js';
import { parseConfig, type OpenSearchOptions } from './config.js';

/** What the data nodes of a cluster have, in bytes, all together. */
export interface ClusterCapacity {
  readonly nodes: number;
  readonly diskAvailableBytes: number;
  readonly heapBytes: number;
  /** Of the machines, heap and all. */
  readonly memoryBytes: number;
}

interface NodeStats {
  readonly roles?: readonly string[];
  readonly fs?: { readonly total?: { readonly available_in_bytes?: number } };
  readonly jvm?: { readonly mem?: { readonly heap_max_in_bytes?: number } };
  readonly os?: { readonly mem?: { readonly total_in_bytes?: number } };
}

/** undefined for services that tell nothing of their machines. Errors: USAGE, SINK. */
export async function clusterCapacity(
  uri: string,
  options: OpenSearchOptions,
  { log, signal }: Abortable & { readonly log: Logger },
): Promise<ClusterCapacity | undefined> {
  const config = parseConfig(uri, options, process.env);
  if (config.serverless) return undefined;
  const access = createAccess(config, log);
  try {
    const answer = await access.call(
      (cluster) => cluster.request({ method: 'GET', path: ['_nodes', 'stats', 'fs,jvm,os'] }, { signal }),
      { signal },
    );
    // The shape that every version since 1.0 answers with; what is missing counts as nothing.
    const { nodes = {} } = answer as { readonly nodes?: Readonly<Record<string, NodeStats>> };
    const data = Object.values(nodes).filter(({ roles = ['data'] }) => roles.includes('data'));
    const sum = (of: (node: NodeStats) => number | undefined): number =>
      data.reduce((total, node) => total + (of(node) ?? 0), 0);
    return {
      nodes: data.length,
      diskAvailableBytes: sum(({ fs }) => fs?.total?.available_in_bytes),
      heapBytes: sum(({ jvm }) => jvm?.mem?.heap_max_in_bytes),
      memoryBytes: sum(({ os }) => os?.mem?.total_in_bytes),
    };
  } finally {
    await access.close();
  }
}
