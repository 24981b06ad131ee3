import type { RecordRange } from '../core/interfaces.js';

/** Counts of one shard's run; the numbers of the summary (docs/design.md §6). */
export interface Tally {
  readonly objects: {
    listed: number;
    mine: number;
    unchanged: number;
    embedded: number;
    skipped: number;
    failed: number;
    deleted: number;
  };
  /** Ranges of objects that are shared out, but the first of each, which stands for the object. */
  readonly ranges: { mine: number; unchanged: number; embedded: number; skipped: number; failed: number };
  documents: number;
  chunks: number;
  tokens: number;
  truncatedTokens: number;
  /** Replacement characters that stand for invalid bytes. */
  invalidBytes: number;
  readonly vectors: { written: number; retried: number; rejected: number; deleted: number };
  /** Bytes of the objects that were read, as stored. */
  bytesRead: number;
  deadLetters: number;
  /** Objects that could not be read at all. */
  readonly unreadable: { count: number; firstReason: string };
  /** Objects left out, by reason. */
  readonly skipped: Map<string, number>;
  /** Records without text in objects that have others. */
  emptyRecords: number;
  /** Records by where their text and id came from. */
  readonly mappings: Map<string, number>;
}

export function newTally(): Tally {
  return {
    objects: { listed: 0, mine: 0, unchanged: 0, embedded: 0, skipped: 0, failed: 0, deleted: 0 },
    ranges: { mine: 0, unchanged: 0, embedded: 0, skipped: 0, failed: 0 },
    documents: 0,
    chunks: 0,
    tokens: 0,
    truncatedTokens: 0,
    invalidBytes: 0,
    vectors: { written: 0, retried: 0, rejected: 0, deleted: 0 },
    bytesRead: 0,
    deadLetters: 0,
    unreadable: { count: 0, firstReason: '' },
    skipped: new Map(),
    emptyRecords: 0,
    mappings: new Map(),
  };
}

/** Every object that had to be opened could not be: that is the source's fault, not theirs. */
export function noneCouldBeRead({ unreadable, objects, ranges }: Tally): boolean {
  const opened = objects.mine - objects.skipped + ranges.mine - ranges.skipped;
  return unreadable.count > 0 && unreadable.count === opened;
}

/** What an object, or a range of one, is counted with: the first range stands for its object. */
export function countsFor(tally: Tally, range: RecordRange | undefined): Tally['ranges'] {
  return range === undefined || range.index === 0 ? tally.objects : tally.ranges;
}

export const hasFailures = ({ objects, ranges }: Tally): boolean => objects.failed + ranges.failed > 0;

export function count(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}
