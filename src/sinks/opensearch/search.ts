import { EmbatchError } from '../../core/errors.js';
import type { Abortable, Hit, Row } from '../../core/interfaces.js';
import type { Cluster } from './client.js';
import { RequestFailure } from './failure.js';
import type { Layout } from './layouts.js';
import { undefinedIf, type OpenIndex } from './open-index.js';

/** A shard that does not answer would else be left out without a word. */
const WHOLE_ANSWER = { allow_partial_search_results: 'false' };
/** Of one query; the default of `index.max_result_window`, and k-NN's own limit. */
const MAX_HITS = 10_000;
/** Candidates per segment: the lucene engine knows no ef_search and widens its search by k alone. */
const MIN_CANDIDATES = 100;

interface SearchAnswer {
  readonly pit_id?: string;
  readonly hits: {
    readonly hits: readonly {
      readonly _id: string;
      readonly _score: number;
      readonly _source: Readonly<Record<string, unknown>>;
      readonly sort?: readonly unknown[];
    }[];
  };
}

/** The `k` rows nearest to `vector`, best first. USAGE: `k` out of range. */
export async function searchIndex(
  cluster: Cluster,
  { name, layout }: OpenIndex,
  vector: Float32Array,
  k: number,
  options: Abortable,
): Promise<Hit[]> {
  if (!Number.isInteger(k) || k < 1 || k > MAX_HITS) {
    throw new EmbatchError('USAGE', `A search for ${k} rows: OpenSearch gives 1 to ${MAX_HITS}.`);
  }
  const candidates = Math.max(k, MIN_CANDIDATES);
  const body = {
    size: k,
    _source: { excludes: [layout.vectorField] },
    query: { knn: { [layout.vectorField]: { vector: Array.from(vector), k: candidates } } },
  };
  const answer = (await cluster.request(
    { method: 'POST', path: [name, '_search'], query: WHOLE_ANSWER, body },
    options,
  )) as SearchAnswer;
  return answer.hits.hits.map((hit) => {
    const { text, metadata } = layout.fromSource(hit._source);
    return { id: hit._id, score: cosineOf(hit._score), text, metadata };
  });
}

/** k-NN scores cosine as (2 - d) / 2 with d = 1 - cos. */
function cosineOf(score: number): number {
  return 2 * score - 1;
}

/** How long the cluster keeps a snapshot between two pages. */
const KEEP_ALIVE = '5m';
/** Of one page, roughly; a vector's element takes about 12 bytes as text. */
const PAGE_BYTES = 4_000_000;
const BYTES_PER_ELEMENT = 12;
const OTHER_BYTES_PER_ROW = 2_000;

/** How a page is fetched: with the retries of the sink. */
export type Fetch = (work: () => Promise<unknown>) => Promise<unknown>;

/**
 * Every row of ours once, from a snapshot, ordered by id: a page can be asked for again, and a snapshot that
 * expired under a slow reader is replaced by a new one that goes on behind the last id.
 */
export async function* scanIndex(
  cluster: Cluster,
  { name, layout, info }: OpenIndex,
  fetch: Fetch,
  options: Abortable,
): AsyncGenerator<Row, void, undefined> {
  const size = Math.ceil(PAGE_BYTES / (info.dimensions * BYTES_PER_ELEMENT + OTHER_BYTES_PER_ROW));
  let snapshot = await openSnapshot(cluster, name, fetch, options);
  let after: readonly unknown[] | undefined;
  try {
    for (;;) {
      const body = {
        size: Math.min(size, MAX_HITS),
        pit: { id: snapshot, keep_alive: KEEP_ALIVE },
        query: { exists: { field: ID_FIELD } },
        sort: [{ [ID_FIELD]: 'asc' }],
        track_total_hits: false,
        ...(after === undefined ? {} : { search_after: after }),
      };
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
      for (const hit of hits) yield toRow(hit._id, hit._source, layout);
      after = hits.at(-1)?.sort;
      if (after === undefined) return;
    }
  } finally {
    await closeSnapshot(cluster, snapshot);
  }
}

const ID_FIELD = 'embatch.id';

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

function toRow(id: string, source: Readonly<Record<string, unknown>>, layout: Layout): Row {
  const vector = Float32Array.from(source[layout.vectorField] as number[]);
  return { id, vector, ...layout.fromSource(source) };
}
