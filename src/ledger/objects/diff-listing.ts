import { EmbatchError } from '../../core/errors.js';
import type { SourceObject } from '../../core/interfaces.js';
import { byPlace, type LedgerEntry, type Place } from './entry.js';

/** What a run has to do about an object, or about a range of one. */
export type Change<Item extends Listed = Listed> =
  | { readonly kind: 'new'; readonly object: Item }
  | { readonly kind: 'changed'; readonly object: Item; readonly entry: LedgerEntry }
  /** Settled at this version already. */
  | { readonly kind: 'unchanged'; readonly object: Item; readonly entry: LedgerEntry }
  /** In the ledger and not in the listing. */
  | { readonly kind: 'gone'; readonly entry: LedgerEntry };

export type Listed = SourceObject & Place;

/**
 * Compares a listing with the ledger in one pass; both ascend (`byPlace`), and nothing but their current items is held.
 * Error: SOURCE where the listing does not ascend: nothing may be concluded from it.
 */
export async function* diffListing<Item extends Listed>(
  listing: AsyncIterable<Item>,
  entries: AsyncIterable<LedgerEntry>,
): AsyncGenerator<Change<Item>> {
  const known = entries[Symbol.asyncIterator]();
  const next = async (): Promise<LedgerEntry | undefined> => {
    const result = await known.next();
    return result.done === true ? undefined : result.value;
  };
  try {
    let entry = await next();
    for await (const object of ascending(listing)) {
      while (entry !== undefined && byPlace(entry, object) < 0) {
        yield { kind: 'gone', entry };
        entry = await next();
      }
      if (entry === undefined || byPlace(entry, object) !== 0) {
        yield { kind: 'new', object };
        continue;
      }
      yield { kind: isSettled(entry, object) ? 'unchanged' : 'changed', object, entry };
      entry = await next();
    }
    for (; entry !== undefined; entry = await next()) yield { kind: 'gone', entry };
  } finally {
    await known.return?.();
  }
}

/** A range counts for its version and its bytes. */
function isSettled(entry: LedgerEntry, { version, range }: Listed): boolean {
  const isSameRange = entry.range?.end === range?.end && entry.range?.count === range?.count;
  return entry.status !== 'open' && entry.version === version && isSameRange;
}

/** The same items, each after the one before it. Error: SOURCE where one is not. */
export async function* ascending<Item extends Listed>(listing: AsyncIterable<Item>): AsyncGenerator<Item> {
  let last: Item | undefined;
  for await (const object of listing) {
    if (last !== undefined && byPlace(last, object) >= 0) {
      throw new EmbatchError(
        'SOURCE',
        `the listing gave ${JSON.stringify(object.key)} after ${JSON.stringify(last.key)}: it is not in the order of UTF-8 ` +
          'bytes, so what is new and what is gone cannot be told. Directory buckets and some imitations of S3 list so.',
      );
    }
    last = object;
    yield object;
  }
}
