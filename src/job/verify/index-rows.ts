import { compareUtf8 } from '../../core/bytes-order.js';
import { sortExternally } from '../../core/external-sort.js';
import type { Abortable, RowFacts } from '../../core/interfaces.js';

/** What a row says of itself, under the key of its object. */
export interface IndexRow extends Omit<RowFacts, 'source'> {
  readonly key: string;
}

export interface RowCounts {
  /** Rows of this source and shard. */
  own: number;
  /** Rows of other sources in the same index, and of other shards. */
  others: number;
}

export interface IndexRowsOptions extends Abortable {
  readonly sourceId: string;
  /** Whether a key is of the shard that is looked at. */
  readonly isMine: (key: string) => boolean;
  readonly counts: RowCounts;
}

/**
 * The rows of one source, ascending by the UTF-8 bytes of their keys, then by record, chunk and id; any number of them,
 * see external-sort.ts. Error: STATE for the temporary file.
 */
export function sortedRows(
  facts: AsyncIterable<RowFacts>,
  options: IndexRowsOptions,
): AsyncGenerator<IndexRow, void, undefined> {
  return sortExternally(ownRows(facts, options), {
    compare: compareRows,
    format: formatRow,
    parse: parseRow,
    signal: options.signal,
  });
}

async function* ownRows(
  facts: AsyncIterable<RowFacts>,
  { sourceId, isMine, counts }: IndexRowsOptions,
): AsyncGenerator<IndexRow, void, undefined> {
  const start = `${sourceId}/`;
  for await (const { source, ...rest } of facts) {
    const key = source.startsWith(start) ? source.slice(start.length) : undefined;
    if (key === undefined || !isMine(key)) {
      counts.others += 1;
      continue;
    }
    counts.own += 1;
    yield { ...rest, key };
  }
}

function compareRows(a: IndexRow, b: IndexRow): number {
  return (
    compareUtf8(a.key, b.key) ||
    compareRecords(a.record, b.record) ||
    a.chunk - b.chunk ||
    compareUtf8(a.id, b.id)
  );
}

/** Whole objects, then positions, then ids. */
function compareRecords(a: IndexRow['record'], b: IndexRow['record']): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return compareUtf8(a, b);
  return rank(a) - rank(b);
}

function rank(record: IndexRow['record']): number {
  if (record === undefined) return 0;
  return typeof record === 'number' ? 1 : 2;
}

type Line = readonly [string, string | number | null, number, number, string, string, string];

const formatRow = ({ key, record, chunk, chunks, version, fingerprint, id }: IndexRow): string =>
  JSON.stringify([key, record ?? null, chunk, chunks, version, fingerprint, id] satisfies Line);

function parseRow(line: string): IndexRow {
  // Written by formatRow, in this process.
  const [key, record, chunk, chunks, version, fingerprint, id] = JSON.parse(line) as Line;
  return { key, record: record ?? undefined, chunk, chunks, version, fingerprint, id };
}
