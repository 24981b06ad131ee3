import { objectUri } from '../core/ids.js';
import type { Abortable, Logger, StateStore } from '../core/interfaces.js';
import { formatCount } from '../core/units.js';
import type { StoredDeadLetter } from '../ledger/dead-letters.js';
import { placeName, type LedgerEntry } from '../ledger/objects/entry.js';
import { clearDeadLetters, listDeadLetters, readDeadLetters } from '../ledger/stored-dead-letters.js';
import { sortLetters, type LettersByKey } from './retry-letters.js';
import { SeenIds } from './seen-ids.js';

export interface FormerLettersOptions extends Abortable {
  readonly state: StateStore;
  readonly sourceId: string;
  readonly sinkUri: string;
  readonly log: Logger;
}

/**
 * The dead letters that earlier runs have left of this source and sink. They stand as long as the ledger says that their
 * object failed at their version; what this run finds out of an object replaces them.
 */
export interface FormerLetters {
  /** Takes what this run has committed of an object: its former letters are history. */
  committed(entry: LedgerEntry): void;
  /** Takes an entry that this run left as it is: letters of its version stand where it failed. */
  untouched(entry: LedgerEntry): void;
  /** By object, for `retry`; to be closed. */
  sorted(): LettersByKey;
  /** Removes those that do not stand any more; to be called when the ledger is stored. Error: STATE. */
  clear(options?: Abortable): Promise<void>;
}

/** Takes note of what is there. Costs one listing where there are none. Error: STATE. */
export async function openFormerLetters(options: FormerLettersOptions): Promise<FormerLetters> {
  const { state, sourceId, sinkUri, log, signal } = options;
  const segments = await listDeadLetters(state, { signal });
  const isOurs = ({ uri, key, sink }: StoredDeadLetter): boolean =>
    sink === sinkUri && uri === objectUri(sourceId, key);
  let isDamaged = false;
  async function* read(): AsyncGenerator<StoredDeadLetter> {
    const onDamage = (what: string): void => {
      if (!isDamaged) log.warn(`${what}: objects that failed are embedded again as a whole`);
      isDamaged = true;
    };
    for await (const letter of readDeadLetters(state, segments, onDamage, { signal })) {
      if (isOurs(letter)) yield letter;
    }
  }

  /** Objects and ranges that have letters; of these, those that this run knows more of; of these, versions whose letters stand. */
  const keys = new SeenIds();
  const known = new SeenIds();
  const standing = new SeenIds();
  let count = 0;
  for await (const letter of read()) {
    keys.add(placeOf(letter));
    count += 1;
  }

  return {
    committed(entry) {
      const name = placeName(entry);
      if (count > 0 && keys.has(name)) known.add(name);
    },
    untouched(entry) {
      const name = placeName(entry);
      if (count === 0 || !keys.has(name)) return;
      known.add(name);
      if (entry.status === 'failed') standing.add(versionName(name, entry.version));
    },
    sorted: () => sortLetters(read(), () => isDamaged, { signal }),
    async clear(abortable = {}) {
      if (count === 0) return;
      const stands = (letter: StoredDeadLetter): boolean => {
        const name = placeOf(letter);
        return !isOurs(letter) || !known.has(name) || standing.has(versionName(name, letter.version));
      };
      const cleared = await clearDeadLetters(state, segments, stands, abortable);
      if (cleared > 0) log.info(`dead letters of earlier runs that were cleared: ${formatCount(cleared)}`);
    },
  };
}

const versionName = (name: string, version: string): string => JSON.stringify([name, version]);

/** As `placeName` names the entry of the ledger that says it failed. */
const placeOf = ({ key, rangeStart }: StoredDeadLetter): string =>
  rangeStart === undefined ? key : JSON.stringify([key, rangeStart]);
