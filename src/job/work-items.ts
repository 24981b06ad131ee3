import type { RecordRange } from '../core/interfaces.js';
import { diffListing, type Change } from '../ledger/objects/diff-listing.js';
import type { LedgerEntry } from '../ledger/objects/entry.js';
import { knownObjects } from '../ledger/objects/known-objects.js';
import { shardOfRange } from '../shard/record-ranges.js';
import type { WorkItem } from './object-progress.js';
import type { PipelineContext } from './pipeline-context.js';
import { hasRanges, shareOf } from './share.js';

/** An object of the listing that concerns this shard: as a whole, or by ranges. */
interface ListedObject extends WorkItem {
  /** It is counted here, and cleared up after. */
  readonly isMine: boolean;
  /** All ranges that it is shared out by; undefined where it stays whole. */
  readonly ranges: readonly RecordRange[] | undefined;
  /** Those of this shard. */
  readonly mine: readonly RecordRange[];
}

export type WorkChange = Exclude<Change<WorkItem>, { readonly kind: 'gone' }>;

/**
 * What there is to be done by this shard, object by object and range by range, compared with the ledger. Objects that are
 * shared out are noted in `splits`; only their ranges come out.
 */
export async function* workItems(
  context: PipelineContext,
): AsyncGenerator<WorkChange | { readonly kind: 'gone'; readonly entry: LedgerEntry }> {
  const { ledger, departed, splits, shard, stop } = context;
  const known = knownObjects(ledger.entries({ signal: stop }));
  for await (const change of diffListing(listedObjects(context), known)) {
    if (stop.aborted) return;
    if (change.kind === 'gone') {
      const { key } = change.entry;
      if (shard.count === 1 || shardOfRange(key, shard.count) === shard.index) yield change;
      continue;
    }
    const { isMine, ranges, mine, ...object } = change.object;
    if (isMine && change.kind !== 'new') departed?.stays();
    if (ranges === undefined) {
      if (isMine) yield { ...change, object };
      continue;
    }
    // Whoever ends last settles it, also where it found nothing left to do.
    if (change.kind !== 'unchanged' && (isMine || mine.length > 0)) splits.expect(object);
    for (const range of mine) yield rangeChange({ ...object, range }, change);
  }
}

/** How a range stands: by its own entry, or by that of an object that is settled as a whole at this version. */
function rangeChange(
  item: WorkItem & { readonly range: RecordRange },
  change: Exclude<
    Change<ListedObject, LedgerEntry & { readonly ranges: readonly LedgerEntry[] }>,
    { kind: 'gone' }
  >,
): WorkChange {
  if (change.kind === 'new') return { kind: 'new', object: item };
  const { range, version } = item;
  const { ranges, ...whole } = change.entry;
  const entry = ranges.find((known) => known.range?.start === range.start);
  if (entry === undefined) {
    return change.kind === 'unchanged'
      ? { kind: 'unchanged', object: item, entry: { ...whole, range } }
      : { kind: 'new', object: item };
  }
  const isSame = entry.range?.end === range.end && entry.range.count === range.count;
  const isSettled = entry.status !== 'open' && entry.version === version && isSame;
  return { kind: isSettled ? 'unchanged' : 'changed', object: item, entry };
}

/** The objects of the listing, counted, as far as they concern this shard. */
async function* listedObjects({
  listing,
  shard,
  rangeBytes,
  tally,
  stop,
}: PipelineContext): AsyncGenerator<ListedObject> {
  for await (const object of listing) {
    if (stop.aborted) return;
    tally.objects.listed += 1;
    const { isMine, ranges, mine } = shareOf(object, { shard, rangeBytes });
    if (isMine) tally.objects.mine += 1;
    tally.ranges.mine += mine.filter(({ index }) => index > 0).length;
    // What is known of ranges of another shard's object, which it may have no more, is not gone.
    if (isMine || hasRanges(object.key)) yield { ...object, isMine, ranges, mine };
  }
}
