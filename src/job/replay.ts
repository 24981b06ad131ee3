import { recordName } from '../core/ids.js';
import type { RecordKey, RecordRange } from '../core/interfaces.js';
import type { StoredDeadLetter } from '../ledger/dead-letters.js';
import type { LedgerEntry } from '../ledger/objects/entry.js';

/** What `retry` embeds again of an object that failed. */
export interface Replay {
  /** Names of its failed records; undefined: all of it. */
  readonly records: readonly string[] | undefined;
  /** Rows of the other records, which stay as they are. */
  readonly chunks: number;
  /** How often a record was tried before. */
  attempts(record: RecordKey): number;
  /** Whether a row of a failed record is among `chunks`: the sink took it when it refused another. */
  isStored(record: RecordKey, chunk: number): boolean;
}

/** Records that every part of the object would be compared with: beyond it, all of it is as cheap. */
const MAX_RECORDS = 10_000;

/**
 * Decides what has to be embedded again: the records that the dead letters name, where it is certain that these are all,
 * else the whole object.
 *
 * @param letters of the object, of all versions; undefined where they cannot be relied on
 */
export function planReplay(
  {
    version,
    text,
    range,
  }: { readonly version: string; readonly text: string; readonly range?: RecordRange | undefined },
  entry: LedgerEntry,
  letters: readonly StoredDeadLetter[] | undefined,
): Replay {
  const own = (letters ?? []).filter(
    (letter) => letter.version === entry.version && letter.rangeStart === range?.start,
  );
  const tried = new Map<string, number>();
  for (const { record, attempts } of version === entry.version ? own : []) {
    const name = recordName(record);
    tried.set(name, Math.max(tried.get(name) ?? 0, attempts));
  }
  const attempts = (record: RecordKey): number => tried.get(recordName(record)) ?? 0;
  const isWhole =
    entry.status !== 'failed' ||
    entry.version !== version ||
    entry.text !== text ||
    letters === undefined ||
    !isAllThatFailed(own, entry) ||
    !own.every(namesItsRecord) ||
    tried.size > MAX_RECORDS;
  if (isWhole) return { records: undefined, chunks: 0, attempts, isStored: () => false };

  const refused = new Set(own.flatMap(({ stage, record, chunk }) => rowName(stage, record, chunk)));
  const partly = new Set(
    own.filter(({ stage }) => stage === 'write').map(({ record }) => recordName(record)),
  );
  return {
    records: [...tried.keys()],
    chunks: entry.chunks,
    attempts,
    isStored: (record, chunk) =>
      partly.has(recordName(record)) && !refused.has(`${recordName(record)} ${chunk}`),
  };
}

const rowName = (stage: string, record: RecordKey, chunk: number | undefined): string[] =>
  stage === 'write' && chunk !== undefined ? [`${recordName(record)} ${chunk}`] : [];

/**
 * Letters of runs that died may be too few, those of several runs too many, and somebody may have removed some: a record
 * that is forgotten would be missing from the index for good.
 */
function isAllThatFailed(letters: readonly StoredDeadLetter[], { letters: expected }: LedgerEntry): boolean {
  return letters.length === expected && new Set(letters.map(({ run }) => run)).size === 1;
}

/** A failure to parse names a position; where it names an id, the id stands twice, and which record is meant is open. */
function namesItsRecord({ record, stage }: StoredDeadLetter): boolean {
  return record !== null && !(stage === 'parse' && typeof record === 'object');
}
