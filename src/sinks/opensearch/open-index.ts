import { EmbatchError } from '../../core/errors.js';
import type { Abortable, IndexInfo } from '../../core/interfaces.js';
import { assertSameSpace, parseIndexInfo } from '../../core/recipe.js';
import type { Cluster } from './client.js';
import type { Config } from './config.js';
import { RequestFailure } from './failure.js';
import { isLayoutName, layouts, type Layout } from './layouts.js';
import { DERIVED_SOURCE_SETTING, indexBody } from './mapping.js';

/** An index of ours as it is in the cluster. */
export interface OpenIndex {
  /** Its own name, also where the URI names an alias. */
  readonly name: string;
  readonly info: IndexInfo;
  readonly layout: Layout;
}

type Target = Pick<Config, 'index' | 'uri' | 'layout' | 'settings'>;

interface StoredIndex {
  readonly aliases?: Readonly<Record<string, { readonly is_write_index?: boolean }>>;
  readonly mappings?: { readonly _meta?: { readonly embatch?: unknown } };
}

/** What stands under the name; undefined where nothing does. USAGE: not ours, or an alias of several. */
export async function readIndex(
  cluster: Cluster,
  target: Target,
  options: Abortable,
): Promise<OpenIndex | undefined> {
  const answer = await cluster
    .request({ method: 'GET', path: [target.index] }, options)
    .catch(undefinedIf(404));
  if (answer === undefined) return undefined;
  const [name, stored] = resolveAlias(answer as Record<string, StoredIndex>, target);
  const meta = stored.mappings?._meta?.embatch;
  const info = parseIndexInfo(meta);
  const layout = (meta as { layout?: unknown } | undefined)?.layout;
  if (info === undefined || !isLayoutName(layout)) {
    throw new EmbatchError(
      'USAGE',
      `${target.uri} exists and was not made by embatch (no _meta.embatch in its mapping); embatch never writes to ` +
        'such an index and never drops one, --recreate or not: use another name, or delete the index yourself.',
    );
  }
  return { name, info, layout: layouts[layout] };
}

function resolveAlias(found: Readonly<Record<string, StoredIndex>>, target: Target): [string, StoredIndex] {
  const entries = Object.entries(found);
  const writable = entries.filter(([, { aliases }]) => aliases?.[target.index]?.is_write_index === true);
  const [only, ...others] = entries.length === 1 ? entries : writable;
  if (only !== undefined && others.length === 0) return only;
  throw new EmbatchError(
    'USAGE',
    `${target.uri} is an alias of ${entries.length} indices (${entries.map(([name]) => name).join(', ')}) and none of ` +
      'them is its write index: name one of them.',
  );
}

/**
 * Opens the index, or creates it for `wanted`. Several may do so at once: one creates, all get the same.
 * USAGE: another space, dimension or layout, not ours, no k-NN plugin.
 */
export async function prepareIndex(
  cluster: Cluster,
  target: Target,
  wanted: IndexInfo,
  options: Abortable & { readonly recreate?: boolean },
): Promise<OpenIndex> {
  let existing = await readIndex(cluster, target, options);
  if (existing !== undefined && options.recreate === true) {
    await dropIndex(cluster, target, existing, options);
    existing = undefined;
  }
  if (existing === undefined && (await createIndex(cluster, target, wanted, options))) {
    return { name: target.index, info: wanted, layout: wantedLayout(target) };
  }
  existing ??= await readIndex(cluster, target, options);
  if (existing === undefined) {
    // Created by another, and not yet known to the node that answered, or already dropped again.
    throw new RequestFailure('index_not_found_exception', 'the index is being created by another', {
      status: 503,
    });
  }
  assertSameSpace(existing.info, wanted, target.uri);
  assertLayout(existing, target);
  return existing;
}

function wantedLayout(target: Target): Layout {
  return layouts[target.layout ?? 'langchain'];
}

function assertLayout(existing: OpenIndex, target: Target): void {
  if (target.layout === undefined || existing.layout.name === target.layout) return;
  throw new EmbatchError(
    'USAGE',
    `${target.uri} was made with the layout '${existing.layout.name}', not '${target.layout}': leave the option out, ` +
      'use another name, or --recreate to drop the index and build it anew.',
  );
}

async function dropIndex(
  cluster: Cluster,
  target: Target,
  existing: OpenIndex,
  options: Abortable,
): Promise<void> {
  if (existing.name !== target.index) {
    throw new EmbatchError(
      'USAGE',
      `${target.uri} is an alias of ${existing.name}, and --recreate drops indices only: name ${existing.name} itself.`,
    );
  }
  // Another shard of the same job may have been faster.
  await cluster.request({ method: 'DELETE', path: [existing.name] }, options).catch(undefinedIf(404));
}

/** False where another created it first. */
async function createIndex(
  cluster: Cluster,
  target: Target,
  wanted: IndexInfo,
  options: Abortable,
  derivedSourceKnown = true,
): Promise<boolean> {
  const body = indexBody(wanted, wantedLayout(target), target.settings, { derivedSourceKnown });
  try {
    await cluster.request({ method: 'PUT', path: [target.index], body }, options);
    return true;
  } catch (error) {
    if (!(error instanceof RequestFailure) || error.status !== 400) throw error;
    if (
      error.type === 'resource_already_exists_exception' ||
      error.message.includes('already exists as alias')
    )
      return false;
    if (derivedSourceKnown && error.message.includes(DERIVED_SOURCE_SETTING)) {
      return createIndex(cluster, target, wanted, options, false);
    }
    throw creationRefused(error, target);
  }
}

function creationRefused({ message }: RequestFailure, target: Target): EmbatchError {
  const withoutPlugin = /unknown setting \[index\.knn\]|No handler for type \[knn_vector\]/.test(message);
  return new EmbatchError(
    'USAGE',
    withoutPlugin
      ? `The cluster of ${target.uri} has no k-NN plugin, without which there are no vectors: install it (${message}).`
      : `${target.uri} cannot be created as wanted: ${message}.`,
  );
}

/** Makes what was written searchable, in every shard. An index that is gone is for the caller to notice. */
export async function refreshIndex(cluster: Cluster, name: string, options: Abortable): Promise<void> {
  const answer = await cluster
    .request({ method: 'POST', path: [name, '_refresh'] }, options)
    .catch(undefinedIf(404));
  const failed = (answer as { _shards?: { failed?: number } } | undefined)?._shards?.failed ?? 0;
  if (failed > 0)
    throw new RequestFailure('refresh_failed', `${failed} shards were not refreshed`, { status: 503 });
}

/** For `catch`: a refusal with this status gives undefined, any other is thrown on. */
export function undefinedIf(status: number): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof RequestFailure && error.status === status) return undefined;
    throw error;
  };
}
