import type { Abortable, Row, RowFacts } from '../../core/interfaces.js';
import { factsOf } from '../../core/row-facts.js';
import type { Access } from './access.js';
import { newestCopies } from './copies.js';
import { RequestFailure, type ServerError } from './failure.js';
import type { Layout } from './layouts.js';
import type { OpenIndex } from './open-index.js';
import { ID_FIELD, MAX_HITS, idOf, livePages, snapshotPages } from './pages.js';

/** Of one answer with vectors, roughly; a vector's element takes about 12 bytes as text. */
const PAGE_BYTES = 4_000_000;
const BYTES_PER_ELEMENT = 12;
const OTHER_BYTES_PER_ROW = 2_000;

function rowsPerPage({ info }: OpenIndex): number {
  const bytesPerRow = info.dimensions * BYTES_PER_ELEMENT + OTHER_BYTES_PER_ROW;
  return Math.min(Math.ceil(PAGE_BYTES / bytesPerRow), MAX_HITS);
}

/** Documents that have it are ours. */
const OURS = { exists: { field: ID_FIELD } };

/** Every row of ours once, as {@link snapshotPages} gives them; of several copies the newest. */
export async function* scanRows(
  access: Access,
  index: OpenIndex,
  options: Abortable,
): AsyncGenerator<Row, void, undefined> {
  const query = { query: OURS, size: rowsPerPage(index), _source: true };
  for await (const hits of snapshotPages(access, index, query, options)) {
    for (const { _source } of newestCopies(hits)) {
      options.signal?.throwIfAborted();
      yield toRow(_source, index.layout);
    }
  }
}

/** What every row of ours says of itself; neither text nor vector leaves the cluster. */
export async function* scanFacts(
  access: Access,
  index: OpenIndex,
  options: Abortable,
): AsyncGenerator<RowFacts, void, undefined> {
  const { layout } = index;
  const query = { query: OURS, size: MAX_HITS, _source: layout.factFields };
  for await (const hits of snapshotPages(access, index, query, options)) {
    for (const hit of hits) {
      options.signal?.throwIfAborted();
      yield factsOf({ id: idOf(hit), ...layout.fromSource(hit._source) });
    }
  }
}

interface DocumentAnswer {
  readonly docs: readonly {
    readonly _id: string;
    readonly found?: boolean;
    readonly error?: ServerError;
    readonly _source?: Readonly<Record<string, unknown>>;
  }[];
}

/** The rows with these ids, also those that no search sees yet. */
export async function getRows(
  access: Access,
  index: OpenIndex,
  ids: readonly string[],
  options: Abortable,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const page of pagesOfIds(ids, index)) {
    const body = { ids: page };
    const { docs } = await access.call(async (cluster) => {
      const answer = await cluster.request({ method: 'POST', path: [index.name, '_mget'], body }, options);
      assertWhole(answer as DocumentAnswer);
      return answer as DocumentAnswer;
    }, options);
    for (const { _source } of docs) {
      if (_source?.['embatch'] !== undefined) rows.push(toRow(_source, index.layout));
    }
  }
  return rows;
}

/** The same by search, where `_id` is not ours; of several copies of a row the newest. */
export async function findRows(
  access: Access,
  index: OpenIndex,
  ids: readonly string[],
  options: Abortable,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const page of pagesOfIds(ids, index)) {
    const terms = { [ID_FIELD]: page };
    const query = { query: { bool: { filter: [{ terms }] } }, size: rowsPerPage(index), _source: true };
    for await (const hits of livePages(access, index, query, options)) {
      for (const { _source } of newestCopies(hits)) rows.push(toRow(_source, index.layout));
    }
  }
  return rows;
}

/** A shard that does not answer shows in its documents only, under an answer with status 200. */
function assertWhole({ docs }: DocumentAnswer): void {
  const failed = docs.find(({ error }) => error !== undefined)?.error;
  if (failed === undefined) return;
  const status = failed.type === 'index_not_found_exception' ? 404 : 503;
  throw new RequestFailure(failed.type ?? '', failed.reason ?? '', { status, error: failed });
}

function toRow(source: Readonly<Record<string, unknown>>, layout: Layout): Row {
  const vector = Float32Array.from(source[layout.vectorField] as number[]);
  const stored = layout.fromSource(source);
  return { id: stored.embatch.id, vector, ...stored };
}

/** Each id once, as many at a time as rows may come in one answer. */
function* pagesOfIds(ids: readonly string[], index: OpenIndex): Generator<string[]> {
  const distinct = [...new Set(ids)];
  const size = rowsPerPage(index);
  for (let start = 0; start < distinct.length; start += size) yield distinct.slice(start, start + size);
}
