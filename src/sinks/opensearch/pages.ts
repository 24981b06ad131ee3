import type { Abortable } from '../../core/interfaces.js';
import type { Access } from './access.js';
import { RequestFailure } from './failure.js';
import type { StoredMarks } from './layouts.js';
import { undefinedIf, type OpenIndex } from './open-index.js';

/** A shard that does not answer would else be left out without a word. */
export const WHOLE_ANSWER = { allow_partial_search_results: 'false' };
/** Of one query; the default of `index.max_result_window`, and k-NN's own limit. */
export const MAX_HITS = 10_000;
/** Holds what `_id` does; sorting by `_id` itself is forbidden on some clusters. */
export const ID_FIELD = 'embatch.id';
/** See rows-by-field.ts. */
export const WRITTEN_FIELD = 'embatch.written';

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
  readonly aggregations?: {
    readonly shown: { readonly buckets: readonly { readonly key: string; readonly doc_count: number }[] };
  };
}

/** What is asked of the documents, beside the order and the place to go on from. */
export interface PageQuery {
  readonly query: object;
  /** Hits of one page. */
  readonly size: number;
  readonly _source: boolean | readonly string[];
  readonly seq_no_primary_term?: boolean;
}

/** Of our own document; the service's `_id` may be another. */
export function idOf({ _source }: StoredHit): string {
  return marksOf(_source).id;
}

export function marksOf(source: Readonly<Record<string, unknown>>): StoredMarks['embatch'] {
  // Written by us: open-index.ts has told the index apart from others.
  return (source as unknown as StoredMarks).embatch;
}

/** How long the cluster keeps a snapshot between two pages. */
const KEEP_ALIVE = '5m';

/**
 * Pages of what matches, ordered by id and never cut between two of one id, from a snapshot: a page can be asked for again, and a snapshot that
 * expired under a slow reader is replaced by a new one that goes on behind the last id.
 */
export async function* snapshotPages(
  access: Access,
  { name }: OpenIndex,
  query: PageQuery,
  options: Abortable,
): AsyncGenerator<readonly StoredHit[], void, undefined> {
  let snapshot = await openSnapshot(access, name, options);
  let after: readonly unknown[] | undefined;
  try {
    for (;;) {
      const body = { ...inOrder(query, after), pit: { id: snapshot, keep_alive: KEEP_ALIVE } };
      const page = (await access.call(
        (cluster) =>
          cluster
            .request({ method: 'POST', path: ['_search'], query: WHOLE_ANSWER, body }, options)
            .catch(undefinedIf(404)),
        options,
      )) as SearchAnswer | undefined;
      if (page === undefined) {
        snapshot = await openSnapshot(access, name, options);
        continue;
      }
      snapshot = page.pit_id ?? snapshot;
      const hits = wholeIds(page.hits.hits, query.size);
      if (hits.length > 0) yield hits;
      after = nextAfter(hits, page, query);
      if (after === undefined) return;
    }
  } finally {
    await closeSnapshot(access, snapshot);
  }
}

/** The same without a snapshot: what is written or removed meanwhile may be there or not. */
export async function* livePages(
  access: Access,
  { name }: OpenIndex,
  query: PageQuery,
  options: Abortable,
): AsyncGenerator<readonly StoredHit[], void, undefined> {
  let after: readonly unknown[] | undefined;
  do {
    const body = inOrder(query, after);
    const path = [name, '_search'];
    const page = (await access.call(
      (cluster) => cluster.request({ method: 'POST', path, query: WHOLE_ANSWER, body }, options),
      options,
    )) as SearchAnswer;
    const hits = wholeIds(page.hits.hits, query.size);
    if (hits.length > 0) yield hits;
    after = nextAfter(hits, page, query);
  } while (after !== undefined);
}

/**
 * Without the last id of a full page: where there can be two documents of one id, the page may end between them,
 * and the next one goes on behind the id.
 */
function wholeIds(hits: readonly StoredHit[], size: number): readonly StoredHit[] {
  if (hits.length < size) return hits;
  const last = hits.at(-1)?.sort?.[0];
  const whole = hits.filter(({ sort }) => sort?.[0] !== last);
  return whole.length === 0 ? hits : whole;
}

function nextAfter(
  whole: readonly StoredHit[],
  page: SearchAnswer,
  query: PageQuery,
): readonly unknown[] | undefined {
  return page.hits.hits.length < query.size ? undefined : whole.at(-1)?.sort;
}

function inOrder(query: PageQuery, after: readonly unknown[] | undefined): object {
  const sort = [{ [ID_FIELD]: 'asc' }];
  return { ...query, sort, track_total_hits: false, ...(after === undefined ? {} : { search_after: after }) };
}

async function openSnapshot(access: Access, name: string, options: Abortable): Promise<string> {
  const path = [name, '_search', 'point_in_time'];
  const query = { keep_alive: KEEP_ALIVE };
  const answer = await access.call(
    (cluster) => cluster.request({ method: 'POST', path, query }, options),
    options,
  );
  return (answer as { pit_id: string }).pit_id;
}

/** A courtesy: the cluster forgets it by itself. */
async function closeSnapshot(access: Access, snapshot: string): Promise<void> {
  try {
    await (
      await access.cluster()
    )?.request({
      method: 'DELETE',
      path: ['_search', 'point_in_time'],
      body: { pit_id: [snapshot] },
    });
  } catch (error) {
    if (!(error instanceof RequestFailure)) throw error;
  }
}
