import type { Abortable, Logger } from '../../core/interfaces.js';
import type { ShardRef } from '../names.js';
import type { LedgerEntry } from './entry.js';
import { Journal } from './journal.js';
import { folderOf, LedgerFiles, type LedgerPlace } from './ledger-files.js';
import { sweepHeadless } from './sorted-file.js';

/** What is in the index, object by object: what a run need not do again. */
export interface Ledger {
  /** Of this shard's keys, ascending, each once; as it was when the ledger was opened, or read again. Error: STATE. */
  entries(options?: Abortable): AsyncIterable<LedgerEntry>;
  /** True where nothing is known of this source in this index. */
  readonly isEmpty: boolean;
  /** True once something could not be read: objects that seem new may have rows in the index. */
  readonly isDamaged: boolean;
  /** Lets `entries` give what was stored since. Error: STATE. */
  reload(): Promise<void>;
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
  /** Stores what is known, and that what is still in work was given up in good order. Error: STATE. Idempotent. */
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
  const onDamage = (what: string): void => {
    isDamaged = true;
    log.warn(`the ledger is incomplete: ${what}. Objects that it does not know are embedded again.`);
  };
  const place: LedgerPlace = { ...options, onDamage };
  const files = new LedgerFiles(place);
  const folder = folderOf(place);
  const journal = new Journal({ store, folder, run, shard, writer: options.writer, before, onDamage });
  /** Objects in work, and how many runs have died with each. */
  const inWork = new Map<string, { readonly entry: LedgerEntry; readonly crashes: number }>();
  let isClosed = false;

  const roll = async (abortable: Abortable): Promise<void> => {
    const found = await files.list(abortable);
    const absorbs = found.map(({ name }) => name);
    await journal.writeFile('snapshot', living(files.read(found, shard, abortable)), absorbs, abortable);
    await files.removeSuperseded(abortable);
    await sweepHeadless(store, `${folder}/`, run, abortable);
  };

  let opened = await files.list();
  if (opened.length > MAX_FILES) {
    await roll({});
    opened = await files.list();
  }

  return {
    entries: (abortable = {}) => living(files.read(opened, shard, abortable)),
    get isEmpty() {
      return opened.length === 0;
    },
    async reload() {
      await journal.flush();
      opened = await files.list();
    },
    get isDamaged() {
      return isDamaged;
    },
    begin({ key, version, chunks, text }, crashes = 0) {
      const entry: LedgerEntry = { key, version, status: 'open', chunks, text };
      inWork.set(key, { entry, crashes });
      // Should this run die, it is one more.
      return journal.add({ ...entry, crashes: crashes + 1 });
    },
    begun: (number) => journal.upTo(number),
    commit(entry) {
      inWork.delete(entry.key);
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
      if (journal.isUsed || !isRolled) await roll(abortable);
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      for (const { entry, crashes } of inWork.values()) {
        journal.add(crashes === 0 ? entry : { ...entry, crashes });
      }
      journal.close();
      await journal.flush();
    },
  };
}

/** Entries of objects that are gone only hide older ones. */
async function* living(entries: AsyncIterable<LedgerEntry>): AsyncGenerator<LedgerEntry> {
  for await (const entry of entries) if (entry.status !== 'removed') yield entry;
}
