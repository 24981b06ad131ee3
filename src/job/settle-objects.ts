import { objectHash, objectUri } from '../core/ids.js';
import type { Abortable, Sink, StaleRows } from '../core/interfaces.js';
import type { LedgerEntry } from '../ledger/objects/entry.js';
import type { Ledger } from '../ledger/objects/ledger.js';
import type { Departed } from './departed.js';
import type { ObjectOutcome } from './object-progress.js';
import { noneCouldBeRead, type Tally } from './tally.js';

/** Objects whose leftovers are removed together: a request, or a version of a table, for all of them. */
const REMOVED_TOGETHER = 256;
/** How long the leftovers of an object wait for others. */
const MAX_WAIT_MS = 1000;
/** Objects that could not be read are kept back up to so many, see {@link Settlements}. */
const MAX_HELD = 10_000;

/**
 * Accounts for objects that came to their end: removes what their former versions left in the sink, then commits
 * them. Objects that could not be read are committed only once another could: where none can, it is the source that
 * is at fault, and the next run must try them again.
 */
export interface Settlements {
  /** Takes an object whose rows are all acknowledged, and what the ledger knew of it. */
  settle(outcome: ObjectOutcome, former: LedgerEntry | undefined): void;
  /** Resolves when what is being removed is. Error: SINK. */
  removed(): Promise<void>;
  /** Resolves when all that was taken is committed; to be called once all rows are written. Error: SINK. */
  finish(): Promise<void>;
}

export interface SettlementOptions extends Abortable {
  readonly sink: Sink;
  readonly ledger: Ledger;
  readonly sourceId: string;
  /** Of the rows that this run writes, and the text half of it. */
  readonly fingerprint: string;
  readonly text: string;
  /** False keeps what changed and vanished objects left behind. */
  readonly removing: boolean;
  /** Takes objects that went away while they were read; undefined where nothing may be concluded from that. */
  readonly departed: Departed | undefined;
  /** Once it has fired, nothing is concluded from objects that could not be read. */
  readonly stop: AbortSignal;
  readonly tally: Tally;
}

export function createSettlements(options: SettlementOptions): Settlements {
  const { sink, ledger, sourceId, fingerprint, text, removing, departed, stop, tally, signal } = options;
  let waiting: { readonly stale: StaleRows; readonly entry: LedgerEntry }[] = [];
  let timer: NodeJS.Timeout | undefined;
  const held: LedgerEntry[] = [];
  let removal: Promise<void> = Promise.resolve();

  const remove = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const taken = waiting;
    waiting = [];
    // One after the other: a failure ends them all, and their objects stay in work.
    removal = removal.then(async () => {
      tally.vectors.deleted += await sink.removeRows(
        taken.map(({ stale }) => stale),
        { signal },
      );
      for (const { entry } of taken) ledger.commit(entry);
    });
    removal.catch(() => undefined);
  };
  const commitHeld = (): void => {
    for (const entry of held.splice(0)) ledger.commit(entry);
  };

  return {
    settle({ key, range, split, version, status, chunks, reason, letters, unread }, former) {
      const entry: LedgerEntry = {
        key,
        version,
        status: status === 'gone' ? 'removed' : status,
        chunks,
        text,
        ...(reason === undefined ? {} : { reason }),
        ...(letters === undefined ? {} : { letters }),
        ...(range && { range }),
        ...((split ?? former?.split) && { split: true }),
      };
      if (unread === true) {
        held.push(entry);
        if (held.length > MAX_HELD) commitHeld();
        return;
      }
      commitHeld();
      if (range !== undefined) {
        // What is left over goes when the whole object is done, see SplitObjects. One that is gone stays open until then.
        if (status !== 'gone') ledger.commit(entry);
        return;
      }
      if (status === 'gone' && former !== undefined) {
        // With those that the listing lacks, and by their rules: a folder may have been unmounted.
        removal = removal.then(() => departed?.add(former));
        removal.catch(() => undefined);
        return;
      }
      // What failed as a whole keeps what it had: that is old, but better than nothing.
      const isWhollyFailed = status === 'failed' && chunks === 0;
      const mayHaveLeftovers = former !== undefined || status === 'gone' || ledger.isDamaged;
      if (!removing || !mayHaveLeftovers || isWhollyFailed) {
        // Of one that is gone the rows stay then, and so does the note that it was begun.
        if (status !== 'gone') ledger.commit(entry);
        return;
      }
      const object = objectHash(objectUri(sourceId, key));
      const keep = status === 'gone' ? undefined : { version, fingerprint };
      waiting.push({ stale: { object, keep }, entry });
      timer ??= setTimeout(remove, MAX_WAIT_MS).unref();
      if (waiting.length >= REMOVED_TOGETHER) remove();
    },
    removed: () => removal,
    async finish() {
      if (!noneCouldBeRead(tally) && !stop.aborted) commitHeld();
      if (waiting.length > 0) remove();
      await removal;
    },
  };
}
