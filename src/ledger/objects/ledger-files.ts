import { createHash } from 'node:crypto';
import type { Abortable, StateStore } from '../../core/interfaces.js';
import type { ShardRef } from '../names.js';
import { byPlace, type LedgerEntry, type StampedEntry } from './entry.js';
import { mergeSorted } from './merge-sorted.js';
import {
  FileGoneError,
  listSortedFiles,
  readSortedFile,
  removeSortedFile,
  type SortedFile,
} from './sorted-file.js';

/** A name for anything, such as a URI, that file systems and S3 take. */
const nameOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** How often other shards may remove what is being read, before it counts as damage. */
const MAX_LISTINGS = 1000;

export interface LedgerPlace {
  readonly store: StateStore;
  /** Random id of the index: one that was dropped and made again has another, and its ledger is empty. */
  readonly indexId: string;
  /** A copy of an index has the same id. */
  readonly sinkUri: string;
  readonly sourceId: string;
  /** The shard of an object, or of a range of it, among `count`. */
  readonly shardOf: (key: string, count: number, range?: number) => number;
  /** What could not be read; it costs time, never data. */
  readonly onDamage: (what: string) => void;
}

/** The folder of one index and one source. */
export const folderOf = ({ indexId, sinkUri, sourceId }: LedgerPlace): string =>
  `ledger/${nameOf(`${indexId} ${sinkUri}`)}/${nameOf(sourceId)}`;

/** The files of one ledger, those of all shards and runs, as one. */
export class LedgerFiles {
  readonly #place: LedgerPlace;
  readonly #folder: string;

  constructor(place: LedgerPlace) {
    this.#place = place;
    this.#folder = folderOf(place);
  }

  /** Oldest first. Error: STATE. */
  list(options: Abortable = {}): Promise<SortedFile[]> {
    return listSortedFiles(this.#place.store, `${this.#folder}/`, this.#place.onDamage, options);
  }

  /**
   * The latest entry of each object and range of a shard, ascending. Goes on after the last one where another shard rolls up and
   * removes files meanwhile. Error: STATE.
   */
  async *read(
    files: readonly SortedFile[],
    shard: ShardRef,
    options: Abortable,
  ): AsyncGenerator<StampedEntry> {
    let current = files;
    let last: StampedEntry | undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        for await (const entry of this.#merged(current, shard, options)) {
          if (last !== undefined && byPlace(entry, last) <= 0) continue;
          last = entry;
          yield entry;
        }
        return;
      } catch (error) {
        if (!(error instanceof FileGoneError)) throw error;
        if (attempt >= MAX_LISTINGS) {
          this.#place.onDamage(error.message);
          return;
        }
        current = await this.list(options);
      }
    }
  }

  /** Whether files that know all of their keys cover those of a shard: its own, that of all, or all of some number. */
  isComplete(files: readonly SortedFile[], shard: ShardRef): boolean {
    const shards = files.flatMap(({ head }) => (head.complete ? [head.shard] : []));
    return shards.some(
      ({ index, count }) =>
        count === 1 ||
        (count === shard.count && index === shard.index) ||
        new Set(shards.filter((other) => other.count === count).map((other) => other.index)).size === count,
    );
  }

  /** Removes the files that nobody needs any more: every shard of some number has a snapshot with their entries. */
  async removeSuperseded(options: Abortable): Promise<void> {
    const files = await this.list(options);
    for (const file of files) {
      const shards = new Map<number, Set<number>>();
      for (const { head } of files) {
        if (head.kind !== 'snapshot' || !head.absorbs.includes(file.name)) continue;
        const { index, count } = head.shard;
        shards.set(count, (shards.get(count) ?? new Set()).add(index));
      }
      if ([...shards].some(([count, indices]) => indices.size === count)) {
        await removeSortedFile(this.#place.store, file, options);
      }
    }
  }

  #merged(files: readonly SortedFile[], shard: ShardRef, options: Abortable): AsyncGenerator<StampedEntry> {
    const { store, onDamage } = this.#place;
    return mergeSorted(
      files.flatMap((file) => {
        const newer = files
          .filter(({ head }) => head.kind === 'snapshot' && head.absorbs.includes(file.name))
          .map(({ head }) => head.shard);
        // All that it has of these keys is in a snapshot of the same shard.
        if (newer.some(({ index, count }) => index === shard.index && count === shard.count)) return [];
        const counts = (entry: LedgerEntry): boolean =>
          this.#isOf(entry, shard) && !newer.some((other) => this.#isOf(entry, other));
        return [filtered(readSortedFile(store, file, onDamage, options), counts)];
      }),
    );
  }

  #isOf({ key, range, split }: LedgerEntry, { index, count }: ShardRef): boolean {
    if (count === 1 || split === true) return true;
    const { shardOf } = this.#place;
    // Ranges are known to the shard of the object, too: it is the one that clears up after them.
    return (
      shardOf(key, count) === index || (range !== undefined && shardOf(key, count, range.index) === index)
    );
  }
}

async function* filtered(
  entries: AsyncIterable<StampedEntry>,
  counts: (entry: LedgerEntry) => boolean,
): AsyncGenerator<StampedEntry> {
  for await (const entry of entries) if (counts(entry)) yield entry;
}
