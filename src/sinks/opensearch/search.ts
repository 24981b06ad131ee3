import { EmbatchError } from '../../core/errors.js';
import type { Abortable, Hit } from '../../core/interfaces.js';
import type { Cluster } from './client.js';
import type { OpenIndex } from './open-index.js';
import { MAX_HITS, WHOLE_ANSWER, type SearchAnswer } from './pages.js';

/** Candidates per segment: the lucene engine knows no ef_search and widens its search by k alone. */
const MIN_CANDIDATES = 100;

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
