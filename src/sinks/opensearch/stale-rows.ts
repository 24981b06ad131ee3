import type { Abortable, StaleRows } from '../../core/interfaces.js';
import type { Access } from './access.js';
import type { SeenDocument } from './ndjson.js';
import type { OpenIndex } from './open-index.js';
import { livePages } from './pages.js';

/** Of one query: three clauses each, and a cluster takes 1,024 (`indices.query.bool.max_clause_count`). */
const OBJECTS_PER_QUERY = 300;
/** Of one page: what is deleted by one call of the writer. */
const PAGE_SIZE = 5_000;

/** The documents that must go, in pages, as a search sees them now; `withState` so that a later write protects them. */
export async function* findStale(
  access: Access,
  index: OpenIndex,
  stale: readonly StaleRows[],
  withState: boolean,
  options: Abortable,
): AsyncGenerator<SeenDocument[], void, undefined> {
  for (let start = 0; start < stale.length; start += OBJECTS_PER_QUERY) {
    const query = {
      query: staleQuery(stale.slice(start, start + OBJECTS_PER_QUERY)),
      size: PAGE_SIZE,
      _source: false,
      ...(withState ? { seq_no_primary_term: true } : {}),
    };
    for await (const hits of livePages(access, index, query, options)) {
      yield hits.map(({ _id: id, _seq_no: if_seq_no = -1, _primary_term: if_primary_term = -1 }) => ({
        id,
        state: withState ? { if_seq_no, if_primary_term } : undefined,
      }));
    }
  }
}

function staleQuery(stale: readonly StaleRows[]): object {
  const should = stale.map(({ object, keep }) => {
    const filter = [{ term: { 'embatch.object': object } }];
    if (keep === undefined) return { bool: { filter } };
    const current = [
      { term: { 'embatch.version': keep.version } },
      { term: { 'embatch.fingerprint': keep.fingerprint } },
    ];
    return { bool: { filter, must_not: [{ bool: { filter: current } }] } };
  });
  return { bool: { filter: [{ bool: { should, minimum_should_match: 1 } }] } };
}
