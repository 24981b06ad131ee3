import type { Abortable } from '../../core/interfaces.js';
import type { Cluster } from './client.js';
import { RequestFailure } from './failure.js';
import { undefinedIf, type OpenIndex } from './open-index.js';

/** A shard that does not answer would else be left out without a word. */
export const WHOLE_ANSWER = { allow_partial_search_results: 'false' };
/** Of one query; the default of `index.max_result_window`, and k-NN's own limit. */
export const MAX_HITS = 10_000;
/** Holds what `_id` does; sorting by `_id` itself is forbidden on some clusters. */
export const ID_FIELD = 'embatch.id';

export interface StoredHit {
  readonly _id: string;
  readonly _score: number;
  /** Where the query asked for them. */
  readonly _seq_no?: number;
  readonly _primary_term?: number;
  readonly _source: Readonly<Record<string, unknown>>;
  readonly sort?: readonly unknown[];
}

export interface SearchAnswer {
  readonly pit_id?: string;
  readonly hits: { readonly hits: readonly StoredHit[] };
}

/** What is asked of the documents, beside the order and the place to go on from. */
export interface PageQuery {
  readonly query: object;
  /** Hits of one page. */
  readonly size: number;
  readonly _source: boolean | readonly string[];
  readonly seq_no_primary_term?: boolean;
}

/** How a page is fetched: with the retries of the sink. */
export type Fetch = (work: () => Promise<unknown>) => Promise<unknown>;

/** How long the cluster keeps a snapshot between two pages. */
const KEEP_ALIVE = '5m';

/**
 * Pages of what matches, ordered by id, from a snapshot: a page can be asked for again, and a snapshot that
 * expired under a slow reader is replaced by a new one that goes on behind the last id.
 */
export async function* snapshotPages(
  cluster: Cluster,
  { name }: OpenIndex,
  query: PageQuery,
  fetch: Fetch,
  options: Abortable,
): AsyncGenerator<readonly StoredHit[], void, undefined> {
  let snapshot = await openSnapshot(cluster, name, fetch, options);
  let after: readonly unknown[] | undefined;
  try {
    for (;;) {
      const body = { ...inOrder(query, after), pit: { id: snapshot, keep_alive: KEEP_ALIVE } };
      const page = (await fetch(() =>
        cluster
          .request({ method: 'POST', path: ['_search'], query: WHOLE_ANSWER, body }, options)
          .catch(undefinedIf(404)),
      )) as SearchAnswer | undefined;
      if (page === undefined) {
        snapshot = await openSnapshot(cluster, name, fetch, options);
        continue;
      }
      snapshot = page.pit_id ?? snapshot;
      const { hits } = page.hits;
      if (hits.length > 0) yield hits;
      after = hits.at(-1)?.sort;
      if (after === undefined) return;
    }
  } finally {
    await closeSnapshot(cluster, snapshot);
  }
}

/** The same without a snapshot: what is written or removed meanwhile may be there or not. */
export async function* livePages(
  cluster: Cluster,
  { name }: OpenIndex,
  query: PageQuery,
  fetch: Fetch,
  options: Abortable,
): AsyncGenerator<readonly StoredHit[], void, undefined> {
  let after: readonly unknown[] | undefined;
  do {
    const body = inOrder(query, after);
    const path = [name, '_search'];
    const page = (await fetch(() =>
      cluster.request({ method: 'POST', path, query: WHOLE_ANSWER, body }, options),
    )) as SearchAnswer;
    const { hits } = page.hits;
    if (hits.length > 0) yield hits;
    after = hits.length < query.size ? undefined : hits.at(-1)?.sort;
  } while (after !== undefined);
}

function inOrder(query: PageQuery, after: readonly unknown[] | undefined): object {
  const sort = [{ [ID_FIELD]: 'asc' }];
  return { ...query, sort, track_total_hits: false, ...(after === undefined ? {} : { search_after: after }) };
}

async function openSnapshot(
  cluster: Cluster,
  name: string,
  fetch: Fetch,
  options: Abortable,
): Promise<string> {
  const path = [name, '_search', 'point_in_time'];
  const query = { keep_alive: KEEP_ALIVE };
  const answer = await fetch(() => cluster.request({ method: 'POST', path, query }, options));
  return (answer as { pit_id: string }).pit_id;
}

/** A courtesy: the cluster forgets it by itself. */
async function closeSnapshot(cluster: Cluster, snapshot: string): Promise<void> {
  try {
    await cluster.request({
      method: 'DELETE',
      path: ['_search', 'point_in_time'],
      body: { pit_id: [snapshot] },
    });
  } catch (error) {
    if (!(error instanceof RequestFailure)) throw error;
  }
}
