import { objectUri } from '../core/ids.js';
import type { Abortable, Logger, StateStore } from '../core/interfaces.js';
import { formatCount } from '../core/units.js';
import type { StoredDeadLetter } from '../ledger/dead-letters.js';
import type { LedgerEntry } from '../ledger/objects/entry.js';
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

  /** Keys that have letters; of these, those that this run knows more of; of these, versions whose letters stand. */
  const keys = new SeenIds();
  const known = new SeenIds();
  const standing = new SeenIds();
  let count = 0;
  for await (const { key } of read()) {
    keys.add(key);
    count += 1;
  }

  return {
    committed({ key }) {
      if (count > 0 && keys.has(key)) known.add(key);
    },
    untouched({ key, version, status }) {
      if (count === 0 || !keys.has(key)) return;
      known.add(key);
      if (status === 'failed') standing.add(versionName(key, version));
    },
    sorted: () => sortLetters(read(), () => isDamaged, { signal }),
    async clear(abortable = {}) {
      if (count === 0) return;
      const stands = (letter: StoredDeadLetter): boolean =>
        !isOurs(letter) || !known.has(letter.key) || standing.has(versionName(letter.key, letter.version));
      const cleared = await clearDeadLetters(state, segments, stands, abortable);
      if (cleared > 0) log.info(`dead letters of earlier runs that were cleared: ${formatCount(cleared)}`);
    },
  };
}

const versionName = (key: string, version: string): string => JSON.stringify([key, version]);
