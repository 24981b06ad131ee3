import type { SourceObject } from '../core/interfaces.js';
import { unreadTypeOfKey } from '../document/formats.js';
import { diffListing } from '../ledger/objects/diff-listing.js';
import type { LedgerEntry } from '../ledger/objects/entry.js';
import { shardOf } from '../shard/shard-of-key.js';
import { ObjectProgress, type ObjectOutcome } from './object-progress.js';
import type { PipelineContext } from './pipeline-context.js';
import { count } from './tally.js';

/**
 * The objects of this shard that must be read: new ones, and those that changed since the ledger has them. What need
 * not be opened is settled here.
 */
export async function* selectObjects(context: PipelineContext): AsyncGenerator<ObjectProgress> {
  const { ledger, tally, stop } = context;
  for await (const change of diffListing(mine(context), ledger.entries({ signal: stop }))) {
    if (stop.aborted) return;
    // Rows of objects that are gone stay, as docs/ledger.md says.
    if (change.kind === 'gone') continue;
    const skip = reasonToSkip(change.object);
    if (skip !== undefined) {
      // Costs nothing to find out again, and may change without a new version, as archived objects do.
      tally.objects.skipped += 1;
      count(tally.skipped, skip);
    } else if (change.kind === 'unchanged' && isCurrent(change.entry, context)) {
      settle(change.entry, context);
    } else {
      if (change.kind !== 'new') ledger.begin(change.entry);
      yield new ObjectProgress(change.object, tally, (outcome) => {
        keep(outcome, context);
      });
    }
  }
}

async function* mine({ listing, shard, tally, stop }: PipelineContext): AsyncGenerator<SourceObject> {
  for await (const object of listing) {
    if (stop.aborted) return;
    tally.objects.listed += 1;
    if (shard.count > 1 && shardOf(object.key, shard.count) !== shard.index) continue;
    tally.objects.mine += 1;
    yield object;
  }
}

/** What need not be opened to be left out. */
function reasonToSkip(object: SourceObject): string | undefined {
  if (object.skip !== undefined) return object.skip;
  return object.size === 0 ? 'empty' : unreadTypeOfKey(object.key);
}

const isCurrent = (entry: LedgerEntry, { text, refreshText }: PipelineContext): boolean =>
  !refreshText || entry.text === text;

/** Counts an object as what it was when it was read. */
function settle({ status, reason }: LedgerEntry, { tally }: PipelineContext): void {
  if (status === 'done') tally.objects.unchanged += 1;
  else {
    tally.objects.skipped += 1;
    count(tally.skipped, reason ?? 'empty');
  }
}

/** What is done goes into the ledger. What failed, or went away meanwhile, does not: the next run tries it again. */
function keep(outcome: ObjectOutcome, { ledger, text }: PipelineContext): void {
  const { key, version, status, chunks, reason } = outcome;
  if (status === 'failed' || status === 'gone') return;
  ledger.commit({ key, version, status, chunks, text, ...(reason === undefined ? {} : { reason }) });
}
