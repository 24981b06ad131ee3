import { createHash } from 'node:crypto';
import type { Abortable, Logger } from '../../core/interfaces.js';
import type { Cluster } from './client.js';
import { RequestFailure } from './failure.js';
import { undefinedIf, type OpenIndex } from './open-index.js';

const MAX_NAME_BYTES = 255;

/** Where bulk requests go. */
export interface WriteTarget {
  readonly name: string;
  readonly isAlias: boolean;
}

/**
 * A bulk request to an index that is gone creates it anew, with guessed types, as if nothing had happened. So
 * we write through a hidden alias that bears the index id, with `require_alias`: it goes when the index goes,
 * and an index made anew has another. Rows for an index that is no longer ours are thus refused (404) by the
 * cluster itself, without a moment in between.
 */
function aliasName({ name, info }: Pick<OpenIndex, 'name' | 'info'>): string {
  const suffix = `--embatch-${info.indexId.toLowerCase()}`;
  if (Buffer.byteLength(name + suffix) <= MAX_NAME_BYTES) return name + suffix;
  return createHash('sha256').update(name).digest('hex') + suffix;
}

/** Makes the alias where it is missing. Falls back to the index's own name, with a warning, where that is forbidden. */
export async function prepareWriteAlias(
  cluster: Cluster,
  index: OpenIndex,
  log: Logger,
  options: Abortable,
): Promise<WriteTarget> {
  const alias = aliasName(index);
  const direct: WriteTarget = { name: index.name, isAlias: false };
  try {
    const holders = await aliasHolders(cluster, alias, options);
    // A restored copy brings the alias along; the cluster would refuse to choose between the two.
    if (holders.some((name) => name !== index.name)) {
      log.warn(`${alias} also points to ${holders.join(', ')}: writing to ${index.name} by its own name`);
      return direct;
    }
    if (holders.length === 0) await addAlias(cluster, index.name, alias, options);
    return { name: alias, isAlias: true };
  } catch (error) {
    if (!(error instanceof RequestFailure) || error.status !== 403) throw error;
    log.warn(
      `no permission for the alias ${alias}, which protects a run from writing to an index that was dropped ` +
        `meanwhile; writing to ${index.name} by its own name (${error.message})`,
    );
    return direct;
  }
}

async function aliasHolders(cluster: Cluster, alias: string, options: Abortable): Promise<string[]> {
  const answer = await cluster
    .request({ method: 'GET', path: ['_alias', alias] }, options)
    .catch(undefinedIf(404));
  return Object.keys(answer ?? {});
}

async function addAlias(cluster: Cluster, index: string, alias: string, options: Abortable): Promise<void> {
  const body = { actions: [{ add: { index, alias, is_hidden: true } }] };
  await cluster.request({ method: 'POST', path: ['_aliases'], body }, options);
}
