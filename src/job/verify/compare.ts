import { compareUtf8 } from '../../core/bytes-order.js';
import type { SourceObject } from '../../core/interfaces.js';
import { ascending } from '../../ledger/objects/diff-listing.js';
import type { LedgerEntry } from '../../ledger/objects/entry.js';
import type { IndexRow } from './index-rows.js';
import { judgeObject, type KnownObject, type Verdict } from './judge-object.js';
import { ObjectRows } from './object-rows.js';

export interface Compared {
  /** All three ascending by the UTF-8 bytes of their keys. */
  readonly listing: AsyncIterable<SourceObject>;
  readonly entries: AsyncIterable<LedgerEntry>;
  readonly rows: AsyncIterable<IndexRow>;
  /** Fingerprint of the space half of the index's recipe. */
  readonly space: string;
  /** Sees every row of the listed version of a listed object. */
  readonly onRow?: ((row: IndexRow, object: SourceObject) => void) | undefined;
  /** By default `judgeObject`. */
  readonly judge?: ((known: KnownObject, space: string) => Verdict) | undefined;
}

/**
 * Brings source, ledger and index together, key by key, in one pass that holds one item of each. Error: SOURCE where
 * the listing is not in order, besides those of its inputs.
 */
export async function* compareAll(compared: Compared): AsyncGenerator<Verdict, void, undefined> {
  const listing = new Ahead(ascending(compared.listing));
  const entries = new Ahead(compared.entries);
  const rows = new Ahead(compared.rows);
  const sides = [listing, entries, rows];
  const { space, onRow, judge = judgeObject } = compared;
  try {
    for (const side of sides) await side.advance();
    for (;;) {
      const key = leastKey(sides);
      if (key === undefined) return;
      const object = await listing.takeOf(key);
      const entry = await entries.takeOf(key);
      const found = new ObjectRows();
      for (let row = await rows.takeOf(key); row !== undefined; row = await rows.takeOf(key)) {
        found.add(row);
        if (row.version === object?.version) onRow?.(row, object);
      }
      yield judge({ key, object, entry, rows: found }, space);
    }
  } finally {
    for (const side of sides) await side.end();
  }
}

function leastKey(sides: readonly Ahead<{ readonly key: string }>[]): string | undefined {
  let least: string | undefined;
  for (const { next } of sides) {
    if (next !== undefined && (least === undefined || compareUtf8(next.key, least) < 0)) least = next.key;
  }
  return least;
}

/** An ordered input whose next item is known. */
class Ahead<Item extends { readonly key: string }> {
  readonly #items: AsyncIterator<Item>;
  next: Item | undefined;

  constructor(items: AsyncIterable<Item>) {
    this.#items = items[Symbol.asyncIterator]();
  }

  async advance(): Promise<void> {
    const result = await this.#items.next();
    this.next = result.done === true ? undefined : result.value;
  }

  /** The next item, taken, if it is of this key. */
  async takeOf(key: string): Promise<Item | undefined> {
    const item = this.next;
    if (item?.key !== key) return undefined;
    await this.advance();
    return item;
  }

  async end(): Promise<void> {
    await this.#items.return?.();
  }
}
