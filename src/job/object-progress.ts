import type { RecordKey, RecordRange, SourceObject } from '../core/interfaces.js';
import type { Replay } from './replay.js';
import { SeenIds } from './seen-ids.js';
import { hasRanges } from './share.js';
import { count, countsFor, type Tally } from './tally.js';

/** Nobody splits smaller objects, but to try it out. */
const MAY_BE_SPLIT_BYTES = 2 ** 20;

/** What is done in one piece: an object, or one range of its records. */
export interface WorkItem extends SourceObject {
  readonly range?: RecordRange;
}

/** How an object, or a range of it, ended. */
export interface ObjectOutcome {
  readonly key: string;
  readonly range?: RecordRange;
  /** It may be shared out by ranges some day: every shard must know that it is done. */
  readonly split?: true;
  /** The version that was read. */
  readonly version: string;
  /** `gone` was deleted since it was listed; some of its rows may have been written. */
  readonly status: 'done' | 'failed' | 'skipped' | 'gone';
  /** Rows of it in the sink: those that were acknowledged, and those of records that were left as they are. */
  readonly chunks: number;
  /** Why it was skipped, or what failed first. */
  readonly reason?: string;
  /** It failed before anything of it was read. */
  readonly unread?: boolean;
  /** Dead letters that say what failed. */
  readonly letters?: number;
}

/** All of an object, which was never tried before. */
const ALL: Replay = { records: undefined, chunks: 0, attempts: () => 0, isStored: () => false };

/**
 * What has become of one object of this shard. It is settled, once, when it was read to its end, every part
 * was answered by a worker and every row by the sink; that is the moment at which it may be accounted for.
 */
export class ObjectProgress {
  readonly object: WorkItem;
  /** What `Ledger.begun` takes: nothing of the object is written before. */
  readonly begun: number;
  readonly #tally: Tally;
  readonly #onSettled: (outcome: ObjectOutcome) => void;
  #version: string;
  #replay: Replay;
  #seenIds: SeenIds | undefined;
  /** Parts and rows without an answer, and 1 while the object is being read. */
  #open = 1;
  #embedded = 0;
  #failed = 0;
  #failure = '';
  #unread = false;
  #rows = 0;
  #skipReason: string | undefined;
  #gone = false;

  constructor(
    object: WorkItem,
    begun: number,
    tally: Tally,
    onSettled: (outcome: ObjectOutcome) => void,
    replay: Replay = ALL,
  ) {
    this.object = object;
    this.begun = begun;
    this.#tally = tally;
    this.#onSettled = onSettled;
    this.#version = object.version;
    this.#replay = replay;
  }

  /** What is read is this version: the listed one, or a newer one that took its place. */
  opened(version: string): void {
    // What is known of the records of one version says nothing of those of another.
    if (version !== this.#version) this.#replay = ALL;
    this.#version = version;
  }

  /** What of it is embedded. */
  get replay(): Replay {
    return this.#replay;
  }

  /** A part or row was given away; `answered` must be called once for it. */
  expectAnswer(): void {
    this.#open += 1;
  }

  /** An answer came, or the end of the object. */
  answered(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#settle();
  }

  embedded(): void {
    this.#embedded += 1;
  }

  /** The sink has acknowledged a row, or refused it. */
  written(record: RecordKey, chunk: number, ok: boolean): void {
    const was = this.#replay.isStored(record, chunk) ? 1 : 0;
    this.#rows += (ok ? 1 : 0) - was;
  }

  failed(reason: string): void {
    if (this.#failed === 0) this.#failure = reason;
    this.#failed += 1;
  }

  /** It could not be opened, or not to its end. */
  unreadable(): void {
    this.#unread = this.#embedded === 0;
  }

  /** Deleted since it was listed, perhaps while it was being read. */
  gone(): void {
    this.#gone = true;
  }

  /** The version that is read. */
  get version(): string {
    return this.#version;
  }

  /** The whole object, or one of its records, holds nothing to embed. */
  skipped(reason: string): void {
    this.#skipReason ??= reason;
  }

  /** Ids of other parts of the same object count as seen, too. */
  shareIds(seen: SeenIds): void {
    this.#seenIds = seen;
  }

  /** False where this id was seen in the object before. */
  isNew(record: RecordKey): boolean {
    if (record === null || typeof record === 'number') return true;
    this.#seenIds ??= new SeenIds();
    return this.#seenIds.add(record.id);
  }

  #settle(): void {
    const { key, range } = this.object;
    const objects = countsFor(this.#tally, range);
    const { skipped } = this.#tally;
    const chunks = this.#replay.chunks + this.#rows;
    const split = range === undefined && this.object.size >= MAY_BE_SPLIT_BYTES && hasRanges(key);
    const outcome = {
      ...{ key, version: this.#version, chunks },
      ...(range && { range }),
      ...(split && { split }),
    };
    if (this.#failed > 0) {
      objects.failed += 1;
      const unread = this.#unread ? { unread: true } : {};
      this.#onSettled({
        ...outcome,
        status: 'failed',
        reason: this.#failure,
        letters: this.#failed,
        ...unread,
      });
    } else if (this.#gone) {
      objects.skipped += 1;
      count(skipped, 'gone');
      this.#onSettled({ ...outcome, status: 'gone' });
    } else if (this.#embedded > 0 || chunks > 0 || range !== undefined) {
      // A long record may leave a range without any: that says nothing of the object.
      objects.embedded += 1;
      this.#onSettled({ ...outcome, status: 'done' });
    } else {
      const reason = this.#skipReason ?? 'empty';
      objects.skipped += 1;
      count(skipped, reason);
      this.#onSettled({ ...outcome, status: 'skipped', reason });
    }
  }
}
