import type { Abortable, StateStore } from '../../core/interfaces.js';
import { shardName, type ShardRef } from '../names.js';
import { byPlace, placeName, type LedgerEntry, type StampedEntry } from './entry.js';
import { mergeSorted } from './merge-sorted.js';
import { readSortedFile, removeSortedFile, writeSortedFile, type SortedFile } from './sorted-file.js';

/** What is known is stored so soon: rows wait for entries of objects that were begun, and a kill repeats the rest. */
const FLUSH_MS = 500;
const FLUSH_ENTRIES = 1000;
/** Journals of one level are merged when there are so many, so that readers have few to open. */
const MAX_JOURNALS = 32;

export interface JournalOptions {
  readonly store: StateStore;
  readonly folder: string;
  readonly run: string;
  /** Whose keys. */
  readonly shard: ShardRef;
  /** Names the files: no two writers of one run have the same. */
  readonly writer: ShardRef;
  /** What must be stored before any entry is. */
  readonly before: () => Promise<void>;
  readonly onDamage: (what: string) => void;
}

/** What one run adds to a ledger, in files of its own. Entries that come together are stored together. */
export class Journal {
  readonly #options: JournalOptions;
  readonly #stem: string;
  /** Journals of this run; those of a level hold as much as all of the level below. */
  readonly #levels: SortedFile[][] = [];
  #sequence = 0;
  #waiting: StampedEntry[] = [];
  /** The latest time that was given to an entry. */
  #latest = 0;
  /** What {@link FileHead} says of the files that are written from now on. */
  isComplete = false;
  /** Entries taken so far, and how many of them are stored. */
  #taken = 0;
  #stored = 0;
  #timer: NodeJS.Timeout | undefined;
  #storing: Promise<void> = Promise.resolve();
  /** One that waits for `#storing`: all that comes until then goes with it. */
  #next: Promise<void> | undefined;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#stem = `${options.folder}/${options.run}-${shardName(options.writer)}`;
  }

  /** True once a file was written. */
  get isUsed(): boolean {
    return this.#sequence > 0;
  }

  /** Takes an entry; it is stored within {@link FLUSH_MS}. Gives the number that `upTo` takes. */
  add(entry: LedgerEntry): number {
    this.#waiting.push(this.stamped(entry));
    this.#taken += 1;
    if (this.#waiting.length % FLUSH_ENTRIES === 0) void this.flush();
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref();
    return this.#taken;
  }

  /** Makes all entries from now on later than this time: a clock may be behind those of other machines. */
  startAfter(time: number): void {
    this.#latest = Math.max(this.#latest, time);
  }

  stamped(entry: LedgerEntry): StampedEntry {
    this.#latest = Math.max(Date.now(), this.#latest + 1);
    return { ...entry, at: this.#latest };
  }

  /** Resolves when the entry with this number, and all before it, are stored. Error: STATE. */
  async upTo(number: number): Promise<void> {
    while (this.#stored < number) await this.flush();
  }

  /** Resolves when what is being stored is. Rejects with the error of the last attempt, if it failed. */
  flushed(): Promise<void> {
    return this.#storing;
  }

  /** Stores all that was added. Error: STATE; then nothing is lost, and it may be tried again. */
  flush(options: Abortable = {}): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#next !== undefined) return this.#next;
    const store = (): Promise<void> => {
      this.#next = undefined;
      return this.#store(options);
    };
    // After a failure the entries are still there: the next attempt takes them along.
    this.#next = this.#storing.then(store, store);
    this.#storing = this.#next;
    this.#storing.catch(() => undefined);
    return this.#next;
  }

  /** Writes a file of this run. Error: STATE. */
  async writeFile(
    kind: 'journal' | 'snapshot',
    entries: AsyncIterable<StampedEntry> | Iterable<StampedEntry>,
    absorbs: readonly string[],
    options: Abortable,
  ): Promise<SortedFile> {
    const { store, run, shard } = this.#options;
    const name = `${this.#stem}-${String(this.#sequence).padStart(6, '0')}`;
    const head = { kind, run, shard, sequence: this.#sequence, absorbs, complete: this.isComplete };
    this.#sequence += 1;
    return { name, head: await writeSortedFile(store, name, head, entries, options) };
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  async #store(options: Abortable): Promise<void> {
    if (this.#waiting.length === 0) return;
    // A copy: more may be added while these are being stored.
    const entries = [...this.#waiting];
    const taken = this.#taken;
    await this.#options.before();
    // One object may come twice, as begun and as done. The later entry counts.
    const latest = new Map(entries.map((entry) => [placeName(entry), entry]));
    const file = await this.writeFile('journal', [...latest.values()].sort(byPlace), [], options);
    this.#waiting = this.#waiting.slice(entries.length);
    this.#stored = taken;
    await this.#addFile(file, 0, options);
  }

  /** Every entry is merged once per level, so that long runs cost little more than short ones. */
  async #addFile(added: SortedFile, level: number, options: Abortable): Promise<void> {
    const { store, onDamage } = this.#options;
    const files = [...(this.#levels[level] ?? []), added];
    this.#levels[level] = files;
    if (files.length < MAX_JOURNALS) return;
    const entries = mergeSorted(files.map((file) => readSortedFile(store, file, onDamage, options)));
    const whole = await this.writeFile('journal', entries, [], options);
    // Before anything is removed: what may be gone must not be read again.
    this.#levels[level] = [];
    for (const file of files) await removeSortedFile(store, file, options);
    await this.#addFile(whole, level + 1, options);
  }
}
