import { EmbatchError } from '../../core/errors.js';
import type { Abortable, Hit } from '../../core/interfaces.js';
import type { Cluster } from './client.js';
import type { OpenIndex } from './open-index.js';
import { MAX_HITS, WHOLE_ANSWER, idOf, type SearchAnswer } from './pages.js';

/** Candidates per segment: the lucene engine knows no ef_search and widens its search by k alone. */
const MIN_CANDIDATES = 100;

/** The `k` rows nearest to `vector`, best first; with `copies` there may be several documents of a row. USAGE: `k` out of range. */
export async function searchIndex(
  cluster: Cluster,
  { name, layout }: OpenIndex,
  vector: Float32Array,
  k: number,
  copies: boolean,
  options: Abortable,
): Promise<Hit[]> {
  if (!Number.isInteger(k) || k < 1 || k > MAX_HITS) {
    throw new EmbatchError('USAGE', `A search for ${k} rows: OpenSearch gives 1 to ${MAX_HITS}.`);
  }
  const candidates = Math.max(k, MIN_CANDIDATES);
  const body = {
    // Where copies of a row are replaced a moment later, two of one id may come.
    size: copies ? Math.min(2 * k, MAX_HITS) : k,
    _source: { excludes: [layout.vectorField] },
    query: { knn: { [layout.vectorField]: { vector: Array.from(vector), k: candidates } } },
  };
  const answer = (await cluster.request(
    { method: 'POST', path: [name, '_search'], query: WHOLE_ANSWER, body },
    options,
  )) as SearchAnswer;
  const hits = new Map<string, Hit>();
  for (const hit of answer.hits.hits) {
    const id = idOf(hit);
    const { text, metadata } = layout.fromSource(hit._source);
    if (!hits.has(id)) hits.set(id, { id, score: cosineOf(hit._score), text, metadata });
  }
  return [...hits.values()].slice(0, k);
}

/** k-NN scores cosine as (2 - d) / 2 with d = 1 - cos. */
function cosineOf(score: number): number {
  return 2 * score - 1;
}
