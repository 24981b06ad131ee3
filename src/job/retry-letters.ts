import { compareUtf8 } from '../core/bytes-order.js';
import { sortExternally } from '../core/external-sort.js';
import type { Abortable } from '../core/interfaces.js';
import type { StoredDeadLetter } from '../ledger/dead-letters.js';

/** Letters of one object that are held; one with more is replayed as a whole. */
const MAX_LETTERS_OF_OBJECT = 50_000;

/** Dead letters by object, for a reader that asks for keys in the order of a listing. */
export interface LettersByKey {
  /**
   * The letters of an object; undefined where they are too many, or some could not be read.
   *
   * @param key the one that was asked for before, or one after it
   */
  of(key: string): Promise<readonly StoredDeadLetter[] | undefined>;
  /** Idempotent. */
  close(): Promise<void>;
}

/**
 * Sorts letters by their keys, with bounded memory. Errors: STATE.
 *
 * @param isDamaged asked once all letters were read
 */
export function sortLetters(
  letters: AsyncIterable<StoredDeadLetter>,
  isDamaged: () => boolean,
  { signal }: Abortable = {},
): LettersByKey {
  const sorted = sortExternally(letters, {
    compare: (a, b) => compareUtf8(a.key, b.key),
    format: (letter) => JSON.stringify(letter),
    // Written by the line above.
    parse: (line) => JSON.parse(line) as StoredDeadLetter,
    signal,
  });
  let next: IteratorResult<StoredDeadLetter, void> | undefined;
  let last: { readonly key: string; readonly found: readonly StoredDeadLetter[] | undefined } | undefined;
  return {
    async of(key) {
      if (last?.key === key) return last.found;
      next ??= await sorted.next();
      const found: StoredDeadLetter[] = [];
      let count = 0;
      while (next.done !== true) {
        const order = compareUtf8(next.value.key, key);
        if (order > 0) break;
        if (order === 0) {
          count += 1;
          if (count <= MAX_LETTERS_OF_OBJECT) found.push(next.value);
        }
        next = await sorted.next();
      }
      last = { key, found: count > MAX_LETTERS_OF_OBJECT || isDamaged() ? undefined : found };
      return last.found;
    },
    async close() {
      await sorted.return();
    },
  };
}
