import type { LedgerEntry, StampedEntry } from './entry.js';

/** Entries that count: those of objects that are gone only hide older ones, and a whole object those of its ranges. */
export async function* standing(entries: AsyncIterable<StampedEntry>): AsyncGenerator<StampedEntry> {
  let whole: StampedEntry | undefined;
  for await (const entry of entries) {
    const { key, status, range, at } = entry;
    if (range === undefined) whole = entry;
    else if (whole?.key === key && whole.status !== 'failed' && at < whole.at) continue;
    if (status !== 'removed') yield entry;
  }
}

/** All that the ledger knows of one object. */
export interface LedgerObject extends LedgerEntry {
  /** What is known of its ranges, ascending, where it is done by ranges and not settled as a whole. */
  readonly ranges: readonly LedgerEntry[];
}

/**
 * One item an object. An object of which only ranges are known is being written, or was when its run ended: `open`, and of
 * the version of its first known range.
 */
export async function* knownObjects(
  entries: AsyncIterable<LedgerEntry>,
): AsyncGenerator<LedgerObject, void, undefined> {
  let whole: LedgerEntry | undefined;
  let ranges: LedgerEntry[] = [];
  const objectOf = (): LedgerObject | undefined => {
    const [first] = ranges;
    if (whole !== undefined && (ranges.length === 0 || whole.status === 'failed'))
      return { ...whole, ranges };
    // What was begun later takes back what was known: half of another version may be in the index.
    if (whole !== undefined) return { ...whole, status: 'open', split: true, ranges };
    if (first === undefined) return undefined;
    const { key, version, text } = first;
    const chunks = ranges.reduce((sum, range) => sum + range.chunks, 0);
    return { key, version, status: 'open', chunks, text, split: true, ranges };
  };
  for await (const entry of entries) {
    if (entry.key !== (whole ?? ranges[0])?.key) {
      const object = objectOf();
      if (object !== undefined) yield object;
      whole = undefined;
      ranges = [];
    }
    if (entry.range === undefined) whole = entry;
    else ranges.push(entry);
  }
  const last = objectOf();
  if (last !== undefined) yield last;
}
