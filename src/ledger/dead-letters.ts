import type { Abortable, RecordKey, StateStore } from '../core/interfaces.js';
import { shardName, type ShardRef } from './names.js';

/** What could not be done, with its reason and all that `retry` needs to find it again. */
export interface DeadLetter {
  /** Object URI. */
  readonly uri: string;
  readonly key: string;
  readonly version: string;
  /** null where the whole object is meant. */
  readonly record: RecordKey;
  /** Ordinal of the chunk, where one was refused. */
  readonly chunk?: number;
  readonly reason: string;
  /** How often it was tried, by the sink's own retries, and by `retry` and the run before it. */
  readonly attempts: number;
  readonly stage: 'read' | 'parse' | 'chunk' | 'embed' | 'write';
  /** Where the range of records begins that it was read in, of an object that is done by ranges. */
  readonly rangeStart?: number;
}

/** As it is stored: one JSON line. */
export interface StoredDeadLetter extends DeadLetter {
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly run: string;
  /** A state may be shared by several sinks. */
  readonly sink: string;
}

export interface DeadLetters {
  /** Added since the start of the run, stored or not. */
  readonly count: number;
  /** Where they lie, and those of former runs that still stand, for people. */
  readonly uri: string;
  /** Takes a letter; it is stored with others. Await `flushed` to let the store keep up. */
  add(letter: DeadLetter): void;
  /** Resolves when what is being stored is. Rejects with the STATE error of the last attempt, if it failed. */
  flushed(): Promise<void>;
  /** Stores all that was added. Error: STATE; then nothing is lost, and it may be tried again. */
  flush(options?: Abortable): Promise<void>;
  /** The same, as the end of the run. */
  close(options?: Abortable): Promise<void>;
}

/** What the names of all segments begin with. */
export const DEAD_LETTERS = 'dead-letters/';

const SEGMENT_LETTERS = 500;
const SEGMENT_CHARACTERS = 2 ** 20;
const SEQUENCE_DIGITS = 6;

/**
 * The dead letters of one shard of a run, in segments `dead-letters/<run>-<i>-of-<n>-<seq>.jsonl` that are
 * written once: a kill loses at most the last, incomplete one, and its objects are not yet done either.
 */
export function createDeadLetters(
  store: StateStore,
  { run, shard, sink }: { readonly run: string; readonly shard: ShardRef; readonly sink: string },
): DeadLetters {
  const stem = `${DEAD_LETTERS}${run}-${shardName(shard)}-`;
  let count = 0;
  let segments = 0;
  let lines: string[] = [];
  let characters = 0;
  /** One segment at a time, so that none is written twice. */
  let storing: Promise<void> = Promise.resolve();

  const storeSegment = async (options: Abortable): Promise<void> => {
    if (lines.length === 0) return;
    const taken = lines.length;
    const name = `${stem}${String(segments).padStart(SEQUENCE_DIGITS, '0')}.jsonl`;
    await store.put(name, lines.join(''), options);
    segments += 1;
    // What was added meanwhile stays.
    lines = lines.slice(taken);
    characters = lines.reduce((sum, line) => sum + line.length, 0);
  };
  const flush = (options: Abortable = {}): Promise<void> => {
    // After a failure the letters are still there: the next attempt takes them along.
    storing = storing.then(
      () => storeSegment(options),
      () => storeSegment(options),
    );
    storing.catch(() => undefined);
    return storing;
  };

  return {
    get count() {
      return count;
    },
    uri: `${store.uri}/${DEAD_LETTERS}*.jsonl`,
    add(letter) {
      const stored: StoredDeadLetter = { time: new Date().toISOString(), run, sink, ...letter };
      const line = `${JSON.stringify(stored)}\n`;
      count += 1;
      lines.push(line);
      characters += line.length;
      // At the moment that the bound is passed, not again for each letter that comes while it is stored.
      const passed =
        lines.length === SEGMENT_LETTERS ||
        (characters >= SEGMENT_CHARACTERS && characters - line.length < SEGMENT_CHARACTERS);
      if (passed) void flush();
    },
    flushed: () => storing,
    flush,
    close: flush,
  };
}
