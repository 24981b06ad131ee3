import type { Abortable, Logger } from '../../core/interfaces.js';
import type { ShardRef } from '../names.js';
import { placeName, type LedgerEntry, type StampedEntry } from './entry.js';
import { Journal } from './journal.js';
import { standing } from './known-objects.js';
import { folderOf, LedgerFiles, type LedgerPlace } from './ledger-files.js';
import { sweepRemains, type SortedFile } from './sorted-file.js';

/** What is in the index, object by object: what a run need not do again. */
export interface Ledger {
  /**
   * Of this shard's objects and ranges, ascending, each once; as it was when the ledger was opened, or read again. An
   * object that is shared out is known to every shard. Error: STATE.
   */
  entries(options?: Abortable): AsyncIterable<LedgerEntry>;
  /** The same of all shards, as it is now: what others have committed by this moment. Error: STATE. */
  entriesOfAll(options?: Abortable): AsyncIterable<LedgerEntry>;
  /** True where nothing is known of this source in this index. */
  readonly isEmpty: boolean;
  /** True once something could not be read: objects that seem new may have rows in the index. */
  readonly isDamaged: boolean;
  /**
   * True where all that the index holds of this shard's keys is known: the ledger began with the index, or was made from
   * it. Else it was lost, or a part of it.
   */
  readonly isComplete: boolean;
  /**
   * Takes entries, ascending, that tell all that the index holds of this shard's keys: stored at once or not at all. From
   * then on `entries` gives them, and the ledger is complete. Error: STATE.
   */
  adopt(entries: AsyncIterable<LedgerEntry> | Iterable<LedgerEntry>): Promise<void>;
  /**
   * Notes that an object is being written from now on, and takes back what is known of it: whatever ends the run, the
   * next one knows that the index may hold half of it. Gives the number that `begun` takes.
   *
   * @param entry what was known of it, or what is to be written
   * @param crashes how many runs have died with it in work
   */
  begin(entry: Omit<LedgerEntry, 'status' | 'reason' | 'crashes'>, crashes?: number): number;
  /** Resolves when that note is stored: before the first row of the object is written. Error: STATE. */
  begun(number: number): Promise<void>;
  /**
   * Takes an entry whose rows are all acknowledged, and what was left over of its former version removed. Stored within
   * a second; await `flushed` to let the store keep up.
   */
  commit(entry: LedgerEntry): void;
  /** Resolves when what is being stored is. Rejects with the STATE error of the last attempt, if it failed. */
  flushed(): Promise<void>;
  /** Stores all that was committed. Error: STATE. */
  flush(options?: Abortable): Promise<void>;
  /** Rolls all that is known of this shard's keys into one file, and removes what nobody needs any more. Error: STATE. */
  roll(options?: Abortable): Promise<void>;
  /** Stores that what is in work is given up in good order, unless it is committed later. Error: STATE. */
  release(): Promise<void>;
  /** The same, as the end of the run. Idempotent. */
  close(): Promise<void>;
}

export interface LedgerOptions extends Omit<LedgerPlace, 'onDamage'> {
  readonly run: string;
  /** Whose keys: what `entries` gives and a snapshot holds. */
  readonly shard: ShardRef;
  /** Names the files: no two writers of one run have the same. */
  readonly writer: ShardRef;
  /** Awaited before entries are stored: what they rely on, such as dead letters. */
  readonly before?: () => Promise<void>;
  /** Told of every entry that is committed. */
  readonly onCommit?: (entry: LedgerEntry) => void;
  readonly log: Logger;
}

/** So many files of runs that were killed are rolled up before they are read: each holds a block in memory. */
const MAX_FILES = 256;

/**
 * Opens the ledger of one index and one source (docs/ledger.md). Every shard writes files of its own, never those of
 * others, so that any number of them, also twins, work beside each other; the number of shards may change between
 * runs. Damage is told of and costs time, never data.
 */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const { store, run, shard, log, before = () => Promise.resolve() } = options;
  let isDamaged = false;
  const told = new Set<string>();
  const onDamage = (what: string): void => {
    isDamaged = true;
    if (told.has(what)) return;
    told.add(what);
    log.warn(`the ledger is incomplete: ${what}. Objects that it does not know are embedded again.`);
  };
  const place: LedgerPlace = { ...options, onDamage };
  const files = new LedgerFiles(place);
  const folder = folderOf(place);
  const journal = new Journal({ store, folder, run, shard, writer: options.writer, before, onDamage });
  /** Objects in work, and how many runs have died with each. */
  const inWork = new Map<string, { readonly entry: LedgerEntry; readonly crashes: number }>();
  const all: ShardRef = { index: 0, count: 1 };

  const roll = async (abortable: Abortable): Promise<void> => {
    const found = await files.list(abortable);
    const absorbs = found.map(({ name }) => name);
    await journal.writeFile('snapshot', standing(files.read(found, shard, abortable)), absorbs, abortable);
    await files.removeSuperseded(abortable);
    await sweepRemains(store, `${folder}/`, run, abortable);
  };

  let opened: readonly SortedFile[] = [];
  const reload = async (): Promise<void> => {
    opened = await files.list();
    journal.startAfter(Math.max(0, ...opened.map(({ head }) => head.newest)));
    journal.isComplete ||= files.isComplete(opened, shard);
  };
  const release = async (): Promise<void> => {
    for (const { entry, crashes } of inWork.values()) {
      journal.add(crashes === 0 ? entry : { ...entry, crashes });
    }
    await journal.flush();
  };
  await reload();
  if (opened.length > MAX_FILES) {
    await roll({});
    await reload();
  }

  return {
    entries: (abortable = {}) => unstamped(standing(files.read(opened, shard, abortable))),
    async *entriesOfAll(abortable = {}) {
      await journal.flush(abortable);
      const found = await files.list(abortable);
      // What is concluded from the others' entries must count more than they do.
      journal.startAfter(Math.max(0, ...found.map(({ head }) => head.newest)));
      yield* unstamped(standing(files.read(found, all, abortable)));
    },
    get isEmpty() {
      return opened.length === 0;
    },
    get isComplete() {
      return journal.isComplete;
    },
    async adopt(entries) {
      await journal.flush();
      journal.isComplete = true;
      await journal.writeFile('journal', stamped(entries, journal), [], {});
      await reload();
    },
    get isDamaged() {
      return isDamaged;
    },
    begin({ key, version, chunks, text, range, split }, crashes = 0) {
      const place = { ...(range && { range }), ...(split && { split }) };
      const entry: LedgerEntry = { key, version, status: 'open', chunks, text, ...place };
      inWork.set(placeName(entry), { entry, crashes });
      // Should this run die, it is one more.
      return journal.add({ ...entry, crashes: crashes + 1 });
    },
    begun: (number) => journal.upTo(number),
    commit(entry) {
      inWork.delete(placeName(entry));
      journal.add(entry);
      options.onCommit?.(entry);
    },
    flushed: () => journal.flushed(),
    flush: (abortable = {}) => journal.flush(abortable),
    async roll(abortable = {}) {
      await journal.flush(abortable);
      // Nothing new, and nothing to merge: a run over an unchanged source costs the ledger only what it reads.
      const isRolled = opened.every(
        ({ head }) => head.kind === 'snapshot' && head.shard.count === shard.count,
      );
      if (journal.isUsed || !isRolled || isDamaged) await roll(abortable);
    },
    release,
    async close() {
      await release();
      inWork.clear();
      journal.close();
    },
  };
}

async function* unstamped(entries: AsyncIterable<StampedEntry>): AsyncGenerator<LedgerEntry> {
  for await (const { at: _, ...entry } of entries) yield entry;
}

async function* stamped(
  entries: AsyncIterable<LedgerEntry> | Iterable<LedgerEntry>,
  journal: Journal,
): AsyncGenerator<StampedEntry> {
  for await (const entry of entries) yield journal.stamped(entry);
}
