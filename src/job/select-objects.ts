import type { RecordRange, SourceObject } from '../core/interfaces.js';
import { unreadTypeOfKey } from '../document/formats.js';
import type { LedgerEntry } from '../ledger/objects/entry.js';
import { ObjectProgress, type ObjectOutcome, type WorkItem } from './object-progress.js';
import type { PipelineContext } from './pipeline-context.js';
import type { Replay } from './replay.js';
import { count, countsFor, type Tally } from './tally.js';
import { workItems, type WorkChange } from './work-items.js';

/** An object that runs have died with so often is tried alone. */
export const CRASHES_BEFORE_ALONE = 2;
/** And given up when it has ended so many more: a run that is killed by others may hit an innocent one once. */
export const CRASHES_ALONE = 2;

/**
 * The objects and ranges of this shard that must be read: new ones, and those that changed since the ledger has them. What
 * need not be opened is settled here, what left the source is noted, and what may have ended former runs is put aside.
 */
export async function* selectObjects(context: PipelineContext): AsyncGenerator<ObjectProgress> {
  const { departed, suspects } = context;
  for await (const change of workItems(context)) {
    if (change.kind === 'gone') {
      await departed?.note(change.entry);
      continue;
    }
    if (change.kind === 'unchanged' && isCurrent(change.entry, context)) {
      settleUnread(change.entry, context);
      continue;
    }
    const former = change.kind === 'new' ? undefined : change.entry;
    const skip = reasonToSkip(change.object);
    if (skip !== undefined) {
      skipUnopened(change, skip, context);
    } else if (crashesOf(former, context) >= CRASHES_BEFORE_ALONE) {
      suspects.push({ object: change.object, former });
    } else {
      yield beginObject(change.object, former, context);
    }
  }
}

/**
 * How many runs have died while they had the object in work, one after the other. While another run of this shard is at
 * work, its objects look the same: then no object is under suspicion.
 */
export function crashesOf(
  former: LedgerEntry | undefined,
  { isAnotherAtWork }: Pick<PipelineContext, 'isAnotherAtWork'>,
): number {
  const crashes = former?.status === 'open' ? (former.crashes ?? 0) : 0;
  return isAnotherAtWork ? Math.min(crashes, CRASHES_BEFORE_ALONE - 1) : crashes;
}

/** An object goes to work; the ledger knows of it before its first row is written. */
export function beginObject(
  object: WorkItem,
  former: LedgerEntry | undefined,
  context: PipelineContext,
  replay?: Replay,
): ObjectProgress {
  const { ledger, settlements, splits, tally, text } = context;
  const { key, version, range } = object;
  const known = former ?? { key, version, chunks: 0, text };
  const begun = ledger.begin({ ...known, ...(range && { range }) }, crashesOf(former, context));
  const settle = (outcome: ObjectOutcome): void => {
    settlements.settle(outcome, former);
  };
  const progress = new ObjectProgress(object, begun, tally, settle, replay);
  if (range !== undefined) {
    splits.expect(object);
    progress.shareIds(splits.seenIds(key));
  }
  return progress;
}

/** What need not be opened to be left out. */
export function reasonToSkip(object: SourceObject): string | undefined {
  if (object.skip !== undefined) return object.skip;
  return object.size === 0 ? 'empty' : unreadTypeOfKey(object.key);
}

const isCurrent = (entry: LedgerEntry, { text, refreshText }: PipelineContext): boolean =>
  !refreshText || entry.text === text;

/** Counts an object as what it was when it was read. */
export function settleUnread(entry: LedgerEntry, { tally, formerLetters }: PipelineContext): void {
  const { status, reason, range } = entry;
  formerLetters.untouched(entry);
  const counts = countsFor(tally, range);
  if (status === 'done') counts.unchanged += 1;
  else if (status === 'failed') counts.failed += 1;
  else skipped(reason ?? 'empty', tally, range);
}

export function skipUnopened(
  change: WorkChange,
  reason: string,
  { settlements, tally }: PipelineContext,
): void {
  skipped(reason, tally);
  // A new one is not committed: it costs nothing to find out again, and may change without a new version.
  if (change.kind !== 'changed') return;
  const { key, version } = change.object;
  settlements.settle({ key, version, status: 'skipped', chunks: 0, reason }, change.entry);
}

export function skipped(reason: string, tally: Tally, range?: RecordRange): void {
  countsFor(tally, range).skipped += 1;
  count(tally.skipped, reason);
}
