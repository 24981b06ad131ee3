import { compareUtf8 } from '../../core/bytes-order.js';
import type { RecordRange } from '../../core/interfaces.js';

/** What the ledger knows of one object, or of one range of its records. */
export interface LedgerEntry {
  readonly key: string;
  /** The version that was read. */
  readonly version: string;
  /**
   * `done`: all of it is in the index. `skipped`: it holds nothing to embed. `failed`: some or all of it could not be
   * done, see its dead letters; not read again at this version but by `retry`. `open`: it is being written, or was when
   * its run died, so what the index holds of it is unknown and it counts as changed. `removed`: it is gone, and so are its
   * rows; such an entry hides older ones until they are rolled up.
   */
  readonly status: 'done' | 'skipped' | 'failed' | 'open' | 'removed';
  /** Rows of it in the sink. */
  readonly chunks: number;
  /** Fingerprint of the text half of the recipe that it was cut with. */
  readonly text: string;
  /** Why it was skipped, or failed. */
  readonly reason?: string;
  /** Of an `open` entry: how many runs died, one after the other, while they had it in work. Absent: none. */
  readonly crashes?: number;
  /** Of a `failed` entry: how many dead letters say why. Fewer that are found mean that some are lost. */
  readonly letters?: number;
  /** Set where this is about a part of the object only. */
  readonly range?: RecordRange;
  /**
   * Of an entry about a whole object: it is, or was, shared out by ranges, so every shard knows this entry. Entries of
   * ranges that are older say nothing any more, unless it is `failed`: then they say what has.
   */
  readonly split?: true;
}

/** As it is stored. */
export interface StampedEntry extends LedgerEntry {
  /**
   * When it was committed, in milliseconds since 1970, and later than all that was known then: of two entries of one key
   * the later counts, whichever run wrote it, as in the index the last writer wins.
   */
  readonly at: number;
}

/** One line of JSON, as an array: a ledger holds millions of them. */
export function formatEntry(entry: StampedEntry): string {
  const { key, version, status, chunks, text, at, reason, crashes, letters, range, split } = entry;
  const place = range === undefined ? split && 'split' : [range.index, range.count, range.start, range.end];
  const optional = [reason, crashes, letters, place];
  while (optional.length > 0 && optional.at(-1) === undefined) optional.pop();
  // JSON writes undefined as null in an array.
  return JSON.stringify([key, version, status, chunks, text, at, ...optional]);
}

const statuses: readonly unknown[] = ['done', 'skipped', 'failed', 'open', 'removed'];

/** undefined for anything that {@link formatEntry} does not write. */
export function parseEntry(line: string): StampedEntry | undefined {
  let values: unknown;
  try {
    values = JSON.parse(line);
  } catch {
    // Cut off, or not ours: the caller says so.
    return undefined;
  }
  if (!Array.isArray(values)) return undefined;
  const [key, version, status, chunks, text, at, reason, crashes, letters, place] = values as unknown[];
  if (typeof key !== 'string' || typeof version !== 'string' || typeof text !== 'string') return undefined;
  if (typeof chunks !== 'number' || typeof at !== 'number' || !statuses.includes(status)) return undefined;
  return {
    key,
    version,
    // Looked up in the list above.
    status: status as LedgerEntry['status'],
    chunks,
    text,
    at,
    ...(typeof reason === 'string' ? { reason } : {}),
    ...(typeof crashes === 'number' ? { crashes } : {}),
    ...(typeof letters === 'number' ? { letters } : {}),
    ...(place === 'split' ? { split: true } : {}),
    ...(isRange(place) ? { range: rangeOf(place) } : {}),
  };
}

type StoredRange = readonly [number, number, number, number];

const isRange = (place: unknown): place is StoredRange =>
  Array.isArray(place) && place.length === 4 && place.every((value) => typeof value === 'number');
const rangeOf = ([index, count, start, end]: StoredRange): RecordRange => ({ index, count, start, end });

/** What an entry, or an item of a listing, is about. */
export interface Place {
  readonly key: string;
  readonly range?: RecordRange;
}

/** The order of a ledger: by the UTF-8 bytes of the keys; a whole object before its ranges. */
export const byPlace = (a: Place, b: Place): number =>
  a.key === b.key ? startOf(a) - startOf(b) : compareUtf8(a.key, b.key);
const startOf = ({ range }: Place): number => range?.start ?? -1;

/** For maps and sets of places. */
export const placeName = ({ key, range }: Place): string =>
  range === undefined ? key : JSON.stringify([key, range.start]);
