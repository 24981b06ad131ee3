import type { Abortable, StateStore } from '../core/interfaces.js';
import { DEAD_LETTERS, type StoredDeadLetter } from './dead-letters.js';

/** Names of the segments that are there, of all runs, shards, sources and sinks that share the state. Error: STATE. */
export function listDeadLetters(store: StateStore, options: Abortable = {}): Promise<string[]> {
  return store.list(DEAD_LETTERS, options);
}

/**
 * The letters of some segments, as they were stored. A line that is no letter is told of and left out. Segments that
 * another shard has emptied meanwhile are as good as empty. Error: STATE.
 */
export async function* readDeadLetters(
  store: StateStore,
  segments: readonly string[],
  onDamage: (what: string) => void,
  options: Abortable = {},
): AsyncGenerator<StoredDeadLetter> {
  for (const name of segments) {
    for (const line of await linesOf(store, name, options)) {
      const letter = parseLetter(line);
      if (letter === undefined) onDamage(`${store.uri}/${name} has a line that is no dead letter`);
      else yield letter;
    }
  }
}

/**
 * Removes the letters that `keep` is false for, a segment at a time: a kill leaves each as it was or as it should be.
 * Lines that are no letters stay. Gives the number removed. Error: STATE.
 */
export async function clearDeadLetters(
  store: StateStore,
  segments: readonly string[],
  keep: (letter: StoredDeadLetter) => boolean,
  options: Abortable = {},
): Promise<number> {
  let removed = 0;
  for (const name of segments) {
    const lines = await linesOf(store, name, options);
    const kept = lines.filter((line) => {
      const letter = parseLetter(line);
      return letter === undefined || keep(letter);
    });
    if (kept.length === lines.length) continue;
    removed += lines.length - kept.length;
    if (kept.length === 0) await store.delete(name, options);
    else await store.put(name, kept.map((line) => `${line}\n`).join(''), options);
  }
  return removed;
}

async function linesOf(store: StateStore, name: string, options: Abortable): Promise<string[]> {
  const bytes = await store.get(name, options);
  if (bytes === undefined) return [];
  return Buffer.from(bytes)
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
}

function parseLetter(line: string): StoredDeadLetter | undefined {
  let letter: Partial<StoredDeadLetter> | null;
  try {
    letter = JSON.parse(line) as Partial<StoredDeadLetter> | null;
  } catch {
    // Cut off, or edited: the caller says so.
    return undefined;
  }
  const isLetter =
    typeof letter?.uri === 'string' &&
    typeof letter.key === 'string' &&
    typeof letter.version === 'string' &&
    typeof letter.run === 'string' &&
    typeof letter.sink === 'string' &&
    typeof letter.stage === 'string' &&
    letter.record !== undefined;
  return isLetter ? (letter as StoredDeadLetter) : undefined;
}
