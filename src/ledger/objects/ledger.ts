import { createHash } from 'node:crypto';
import type { Abortable, Logger, StateStore } from '../../core/interfaces.js';
import { shardName, type ShardRef } from '../names.js';
import { compareUtf8 } from '../../core/bytes-order.js';
import { byKey, type LedgerEntry } from './entry.js';
import { mergeSorted } from './merge-sorted.js';
import {
  FileGoneError,
  listSortedFiles,
  readSortedFile,
  removeSortedFile,
  writeSortedFile,
  type SortedFile,
} from './sorted-file.js';

/** What is in the index, object by object: what a run need not do again. */
export interface Ledger {
  /** Of this shard's keys, ascending, each once; as it was when the ledger was opened. Error: STATE. */
  entries(options?: Abortable): AsyncIterable<LedgerEntry>;
  /** True where nothing is known of this source in this index. */
  readonly isEmpty: boolean;
  /**
   * Takes back what is known of an object that is to be written anew; stored by `begun`, which must be awaited before
   * its first row is written. Else a run that fails in the middle would leave an entry that is no longer true.
   */
  begin(entry: LedgerEntry): void;
  begun(): Promise<void>;
  /** Takes an entry whose rows are all acknowledged. Stored within seconds; await `flushed` to let the store keep up. */
  commit(entry: LedgerEntry): void;
  /** Resolves when what is being stored is. Rejects with the STATE error of the last attempt, if it failed. */
  flushed(): Promise<void>;
  /** Stores all that was committed. Error: STATE. */
  flush(options?: Abortable): Promise<void>;
  /** Rolls all that is known of this shard's keys into one file, and removes what nobody needs any more. Error: STATE. */
  roll(options?: Abortable): Promise<void>;
  /** Ends the timer. Idempotent. */
  close(): void;
}

export interface LedgerOptions {
  readonly store: StateStore;
  /** Random id of the index: one that was dropped and made again has another, and its ledger is empty. */
  readonly indexId: string;
  /** A copy of an index has the same id. */
  readonly sinkUri: string;
  readonly sourceId: string;
  readonly run: string;
  /** Whose keys: what `entries` gives and a snapshot holds. */
  readonly shard: ShardRef;
  /** Names the files: no two writers of one run have the same. */
  readonly writer: ShardRef;
  /** The shard of a key among `count`. */
  readonly shardOf: (key: string, count: number) => number;
  readonly log: Logger;
}

/** A name for anything, such as a URI, that file systems and S3 take. */
const nameOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** Entries wait at most so long, and so many: what a killed run does again. */
const FLUSH_MS = 3000;
const FLUSH_ENTRIES = 1000;
/** Journals of one level are merged when there are so many, so that readers have few to open. */
const MAX_JOURNALS = 32;
/** How often other shards may remove what is being read, before it counts as damage. */
const MAX_LISTINGS = 1000;

/**
 * Opens the ledger of one index and one source (docs/ledger.md). Every shard writes files of its own, never those of
 * others, so that any number of them, also twins, work beside each other; the number of shards may change between
 * runs. Damage is told of and costs time, never data.
 */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const { store, run, shard, log } = options;
  const folder = `ledger/${nameOf(`${options.indexId} ${options.sinkUri}`)}/${nameOf(options.sourceId)}`;
  const stem = `${folder}/${run}-${shardName(options.writer)}`;
  const isMine = (key: string, { index, count }: ShardRef): boolean =>
    count === 1 || options.shardOf(key, count) === index;
  const onDamage = (what: string): void => {
    log.warn(`the ledger is incomplete: ${what}. Objects that it does not know are embedded again.`);
  };
  const opened = await listSortedFiles(store, `${folder}/`, onDamage);

  const list = (abortable: Abortable): Promise<SortedFile[]> =>
    listSortedFiles(store, `${folder}/`, onDamage, abortable);

  const merge = (files: readonly SortedFile[], abortable: Abortable): AsyncGenerator<LedgerEntry> =>
    mergeSorted(
      files.flatMap((file) => {
        const newer = files
          .filter(({ head }) => head.kind === 'snapshot' && head.absorbs.includes(file.name))
          .map(({ head }) => head.shard);
        // All that it has of these keys is in a snapshot of the same shard.
        if (newer.some(({ index, count }) => index === shard.index && count === shard.count)) return [];
        const counts = (key: string): boolean =>
          isMine(key, shard) && !newer.some((other) => isMine(key, other));
        return [filtered(readSortedFile(store, file, onDamage, abortable), counts)];
      }),
    );

  /** Goes on after the last key where another shard rolls up and removes files meanwhile. */
  async function* merged(first: readonly SortedFile[], abortable: Abortable): AsyncGenerator<LedgerEntry> {
    let files = first;
    let last: string | undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        for await (const entry of merge(files, abortable)) {
          if (last !== undefined && compareUtf8(entry.key, last) <= 0) continue;
          last = entry.key;
          yield entry;
        }
        return;
      } catch (error) {
        if (!(error instanceof FileGoneError)) throw error;
        if (attempt >= MAX_LISTINGS) {
          onDamage(error.message);
          return;
        }
        files = await list(abortable);
      }
    }
  }

  let sequence = 0;
  let waiting: LedgerEntry[] = [];
  /** Journals of this run; those of a level hold as much as all of the level below. */
  const levels: SortedFile[][] = [];
  let hasBegun = false;
  let storing: Promise<void> = Promise.resolve();

  const writeFile = async (
    kind: 'journal' | 'snapshot',
    entries: AsyncIterable<LedgerEntry> | Iterable<LedgerEntry>,
    absorbs: readonly string[],
    abortable: Abortable,
  ): Promise<SortedFile> => {
    const name = `${stem}-${String(sequence).padStart(6, '0')}`;
    const head = { kind, run, shard, sequence, absorbs };
    sequence += 1;
    return { name, head: await writeSortedFile(store, name, head, entries, abortable) };
  };
  const storeWaiting = async (abortable: Abortable): Promise<void> => {
    if (waiting.length === 0) return;
    // A copy: more may be committed while these are being stored.
    const taken = [...waiting];
    // One key may come twice: an object that changed while the run went on. The later entry counts.
    const latest = new Map(taken.map((entry) => [entry.key, entry]));
    const journal = await writeFile('journal', [...latest.values()].sort(byKey), [], abortable);
    waiting = waiting.slice(taken.length);
    await addJournal(journal, 0, abortable);
  };
  /** Every entry is merged once per level, so that long runs cost little more than short ones. */
  const addJournal = async (journal: SortedFile, level: number, abortable: Abortable): Promise<void> => {
    const files = [...(levels[level] ?? []), journal];
    levels[level] = files;
    if (files.length < MAX_JOURNALS) return;
    const entries = mergeSorted(files.map((file) => readSortedFile(store, file, onDamage, abortable)));
    const whole = await writeFile('journal', entries, [], abortable);
    for (const file of files) await removeSortedFile(store, file, abortable);
    levels[level] = [];
    await addJournal(whole, level + 1, abortable);
  };
  const flush = (abortable: Abortable = {}): Promise<void> => {
    // After a failure the entries are still there: the next attempt takes them along.
    storing = storing.then(
      () => storeWaiting(abortable),
      () => storeWaiting(abortable),
    );
    storing.catch(() => undefined);
    return storing;
  };
  const timer = setInterval(() => void flush(), FLUSH_MS);
  timer.unref();

  return {
    entries: (abortable = {}) => merged(opened, abortable),
    isEmpty: opened.length === 0,
    begin(entry) {
      waiting.push({ ...entry, status: 'open' });
      hasBegun = true;
    },
    begun() {
      if (!hasBegun) return storing;
      hasBegun = false;
      return flush();
    },
    commit(entry) {
      waiting.push(entry);
      if (waiting.length % FLUSH_ENTRIES === 0) void flush();
    },
    flushed: () => storing,
    flush,
    async roll(abortable = {}) {
      await flush(abortable);
      // Nothing new, and nothing to merge: a run over an unchanged source costs the ledger only what it reads.
      const isRolled = opened.every(
        ({ head }) => head.kind === 'snapshot' && head.shard.count === shard.count,
      );
      if (sequence === 0 && isRolled) return;
      const files = await list(abortable);
      const absorbs = files.map(({ name }) => name);
      await writeFile('snapshot', merged(files, abortable), absorbs, abortable);
      await removeSuperseded(store, folder, onDamage, abortable);
    },
    close() {
      clearInterval(timer);
    },
  };
}

async function* filtered(
  entries: AsyncIterable<LedgerEntry>,
  counts: (key: string) => boolean,
): AsyncGenerator<LedgerEntry> {
  for await (const entry of entries) if (counts(entry.key)) yield entry;
}

/** A file may go once every shard of some number has a snapshot with its entries. */
async function removeSuperseded(
  store: StateStore,
  folder: string,
  onDamage: (what: string) => void,
  options: Abortable,
): Promise<void> {
  const files = await listSortedFiles(store, `${folder}/`, onDamage, options);
  for (const file of files) {
    const shards = new Map<number, Set<number>>();
    for (const { head } of files) {
      if (head.kind !== 'snapshot' || !head.absorbs.includes(file.name)) continue;
      const { index, count } = head.shard;
      shards.set(count, (shards.get(count) ?? new Set()).add(index));
    }
    if ([...shards].some(([count, indices]) => indices.size === count)) {
      await removeSortedFile(store, file, options);
    }
  }
}
