import { byPlace, type Place } from './entry.js';

interface Head<Item> {
  readonly item: Item;
  /** Position in the list of inputs, where the time does not decide. */
  readonly age: number;
  readonly rest: AsyncIterator<Item>;
}

/**
 * Merges ascending inputs into one, of equal places only the latest item. Holds one item of each.
 *
 * @param inputs oldest first, each ascending, see `byPlace`
 */
export async function* mergeSorted<Item extends Place & { readonly at: number }>(
  inputs: readonly AsyncIterable<Item>[],
): AsyncGenerator<Item> {
  const iterators = inputs.map((input) => input[Symbol.asyncIterator]());
  /** Descending, so that the next one is taken from the end. */
  const heads: Head<Item>[] = [];
  const refill = async (rest: AsyncIterator<Item>, age: number): Promise<void> => {
    const next = await rest.next();
    if (next.done === true) return;
    const head = { item: next.value, age, rest };
    heads.splice(placeOf(head, heads), 0, head);
  };
  try {
    for (const [age, iterator] of iterators.entries()) await refill(iterator, age);
    let last: Item | undefined;
    for (let head = heads.pop(); head !== undefined; head = heads.pop()) {
      if (last === undefined || byPlace(head.item, last) !== 0) yield head.item;
      last = head.item;
      await refill(head.rest, head.age);
    }
  } finally {
    for (const iterator of iterators) await iterator.return?.();
  }
}

/** Where a head belongs: behind all that are to be taken later. */
function placeOf<Item extends Place & { readonly at: number }>(
  head: Head<Item>,
  heads: readonly Head<Item>[],
): number {
  let low = 0;
  let high = heads.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = heads[middle] as Head<Item>;
    const order = byPlace(other.item, head.item);
    if (order > 0 || (order === 0 && isOlder(other, head))) {
      low = middle + 1;
    } else high = middle;
  }
  return low;
}

const isOlder = <Item extends { readonly at: number }>(a: Head<Item>, b: Head<Item>): boolean =>
  a.item.at === b.item.at ? a.age < b.age : a.item.at < b.item.at;
