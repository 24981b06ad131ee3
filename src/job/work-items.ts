import { diffListing, type Change } from '../ledger/objects/diff-listing.js';
import type { LedgerEntry } from '../ledger/objects/entry.js';
import type { WorkItem } from './object-progress.js';
import type { PipelineContext } from './pipeline-context.js';
import { hasRanges, shareOf } from './share.js';
import { shardOfRange } from '../shard/record-ranges.js';

/** What of the listing concerns this shard. */
interface ListedItem extends WorkItem {
  /**
   * `work`: an object or a range that this shard does. `split`: an object of this shard that is done by ranges. `other`:
   * an object of another shard, some ranges of which may be, or may have been, this one's.
   */
  readonly role: 'work' | 'split' | 'other';
}

export type WorkChange =
  | (Exclude<Change<WorkItem>, { readonly kind: 'gone' }> & {
      /** Of a range: the object is settled as a whole, at this version. */
      readonly whole: LedgerEntry | undefined;
    })
  | { readonly kind: 'gone'; readonly entry: LedgerEntry };

/**
 * The objects and ranges of this shard, compared with the ledger: what is to be done of each is for the caller to say.
 * Objects that are shared out are noted in `splits`, what is left of ranges that there are no more is taken out of the
 * ledger; neither comes out.
 */
export async function* workItems(context: PipelineContext): AsyncGenerator<WorkChange> {
  const { ledger, departed, splits, stop } = context;
  /** The object whose ranges come next, and what is known of it as a whole. */
  let listed: { readonly key: string; readonly whole: LedgerEntry | undefined } | undefined;
  let goneKey: string | undefined;
  for await (const change of diffListing(listedItems(context), ledger.entries({ signal: stop }))) {
    if (stop.aborted) return;
    if (change.kind === 'gone') {
      const { entry } = change;
      if (entry.range !== undefined && entry.key === listed?.key) {
        ledger.commit({ ...entry, status: 'removed', chunks: 0 });
      } else if (entry.key !== goneKey && isOwn(entry, context)) {
        yield change;
      }
      goneKey = entry.key;
      continue;
    }
    const { role, ...object } = change.object;
    if (object.range !== undefined) {
      yield { ...change, object, whole: listed?.whole };
      continue;
    }
    if (role !== 'other' && change.kind !== 'new') departed?.stays();
    const whole = change.kind === 'unchanged' ? change.entry : undefined;
    listed = { key: object.key, whole };
    if (role === 'work') yield { ...change, object, whole: undefined };
    else if (role === 'split' && whole === undefined) splits.expect(object);
  }
}

/** What every shard knows of an object that is gone is for its own shard to clear up; ranges alone are for whoever has them. */
function isOwn({ key, range }: LedgerEntry, { shard }: PipelineContext): boolean {
  return range !== undefined || shard.count === 1 || shardOfRange(key, shard.count) === shard.index;
}

/** The objects of the listing, counted, as far as they concern this shard. */
async function* listedItems({
  listing,
  shard,
  rangeBytes,
  tally,
  stop,
}: PipelineContext): AsyncGenerator<ListedItem> {
  for await (const object of listing) {
    if (stop.aborted) return;
    tally.objects.listed += 1;
    const { isMine, ranges, mine } = shareOf(object, { shard, rangeBytes });
    if (isMine) tally.objects.mine += 1;
    const isSplit = ranges !== undefined;
    // It may have been larger once, so that there are ranges of it in the ledger.
    if (isMine || hasRanges(object.key)) {
      yield { ...object, role: isMine ? (isSplit ? 'split' : 'work') : 'other' };
    }
    for (const range of mine) {
      if (range.index > 0) tally.ranges.mine += 1;
      yield { ...object, range, role: 'work' };
    }
  }
}
