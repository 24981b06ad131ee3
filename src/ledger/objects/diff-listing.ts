import { compareUtf8 } from '../../core/bytes-order.js';
import { EmbatchError } from '../../core/errors.js';
import type { SourceObject } from '../../core/interfaces.js';
import type { LedgerEntry } from './entry.js';

/** What a run has to do about an object. */
export type Change<Item extends SourceObject = SourceObject, Known extends LedgerEntry = LedgerEntry> =
  | { readonly kind: 'new'; readonly object: Item }
  | { readonly kind: 'changed'; readonly object: Item; readonly entry: Known }
  /** Settled at this version already. */
  | { readonly kind: 'unchanged'; readonly object: Item; readonly entry: Known }
  /** In the ledger and not in the listing. */
  | { readonly kind: 'gone'; readonly entry: Known };

/**
 * Compares a listing with the ledger in one pass; both ascend by the UTF-8 bytes of their keys, and nothing but their
 * current items is held. Error: SOURCE where the listing does not ascend: nothing may be concluded from it.
 */
export async function* diffListing<Item extends SourceObject, Known extends LedgerEntry>(
  listing: AsyncIterable<Item>,
  entries: AsyncIterable<Known>,
): AsyncGenerator<Change<Item, Known>> {
  const known = entries[Symbol.asyncIterator]();
  const next = async (): Promise<Known | undefined> => {
    const result = await known.next();
    return result.done === true ? undefined : result.value;
  };
  try {
    let entry = await next();
    for await (const object of ascending(listing)) {
      while (entry !== undefined && compareUtf8(entry.key, object.key) < 0) {
        yield { kind: 'gone', entry };
        entry = await next();
      }
      if (entry?.key !== object.key) {
        yield { kind: 'new', object };
        continue;
      }
      const isSettled = entry.status !== 'open' && entry.version === object.version;
      yield { kind: isSettled ? 'unchanged' : 'changed', object, entry };
      entry = await next();
    }
    for (; entry !== undefined; entry = await next()) yield { kind: 'gone', entry };
  } finally {
    await known.return?.();
  }
}

/** The same objects, each after the one before it in the order of UTF-8 bytes. Error: SOURCE where one is not. */
export async function* ascending<Item extends SourceObject>(
  listing: AsyncIterable<Item>,
): AsyncGenerator<Item> {
  let last: string | undefined;
  for await (const object of listing) {
    if (last !== undefined && compareUtf8(last, object.key) >= 0) {
      throw new EmbatchError(
        'SOURCE',
        `the listing gave ${JSON.stringify(object.key)} after ${JSON.stringify(last)}: it is not in the order of UTF-8 ` +
          'bytes, so what is new and what is gone cannot be told. Directory buckets and some imitations of S3 list so.',
      );
    }
    last = object.key;
    yield object;
  }
}
