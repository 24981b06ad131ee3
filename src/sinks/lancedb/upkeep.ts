import type { Table } from '@lancedb/lancedb';
import { IdHashes, hash53 } from '../../core/id-hashes.js';
import type { Logger } from '../../core/interfaces.js';
import { isConflict } from './failures.js';

/** 64 partitions of 100,000 rows, of which 8 are looked into, found all of the ten nearest. */
const PARTITIONS_AT_100K = 64;
const PROBED_SHARE = 1 / 8;
/** Rows at the edge of a partition lie in the next one now and then: one alone would miss a row's own vector. */
const MIN_PROBES = 8;

/** More rows in more partitions, both growing with the root, so that each stays cheap. */
function partitionsFor(rows: number): number {
  return Math.max(1, Math.round(PARTITIONS_AT_100K * Math.sqrt(rows / 100_000)));
}

export function probesFor(rows: number): number {
  return Math.max(MIN_PROBES, Math.ceil(partitionsFor(rows) * PROBED_SHARE));
}

/**
 * Merges the small files that every write left. `prune` also deletes what only older versions need, which
 * breaks the handles of other writers: only where there are none.
 */
export async function compact(table: Table, prune: boolean, log: Logger): Promise<void> {
  try {
    await table.optimize(prune ? { cleanupOlderThan: new Date() } : {});
  } catch (error) {
    // A writer got in between: all rows are there, and whoever finishes last compacts.
    if (prune || !isConflict(error)) throw error;
    log.debug('LanceDB: compaction gave way to another writer');
  }
}

/** Builds the vector index once there are `fromRows`; later rows are folded in by {@link compact}. */
export async function ensureVectorIndex(table: Table, fromRows: number, log: Logger): Promise<void> {
  const rows = await table.countRows();
  if (rows < fromRows) return;
  if ((await table.listIndices()).some(({ columns }) => columns.includes('vector'))) return;
  log.info(`LanceDB: building a vector index over ${rows} rows`);
  const { Index } = await import('@lancedb/lancedb');
  await table.createIndex('vector', {
    config: Index.ivfFlat({ distanceType: 'cosine', numPartitions: partitionsFor(rows) }),
  });
}

/**
 * Deletes all but one row of every id that is there more than once, in one commit. Returns how many rows went.
 * Duplicates come from writers that raced without a lease; copies of an id differ at most in their version.
 */
export async function dropDuplicates(table: Table): Promise<number> {
  const suspects = await repeatedHashes(table);
  if (suspects.size === 0) return 0;
  const seen = new Set<string>();
  const superfluous: bigint[] = [];
  for await (const batch of table.query().select(['id']).withRowId()) {
    const ids = batch.getChild('id');
    const rowIds = batch.getChild('_rowid');
    for (let n = 0; n < batch.numRows; n++) {
      const id = ids?.get(n) as string;
      if (!suspects.has(hash53(id))) continue;
      if (seen.has(id)) superfluous.push(rowIds?.get(n) as bigint);
      seen.add(id);
    }
  }
  if (superfluous.length === 0) return 0;
  const { numDeletedRows } = await table.delete(`_rowid IN (${superfluous.join(',')})`);
  return numDeletedRows;
}

async function repeatedHashes(table: Table): Promise<Set<number>> {
  const hashes = new IdHashes();
  for await (const batch of table.query().select(['id'])) {
    const ids = batch.getChild('id');
    for (let n = 0; n < batch.numRows; n++) hashes.add(ids?.get(n) as string);
  }
  return new Set(hashes.repeated());
}
