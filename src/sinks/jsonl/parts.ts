import { EmbatchError, describeError } from '../../core/errors.js';
import type { Abortable, SinkContext } from '../../core/interfaces.js';
import { linesOf, type Line } from './lines.js';
import type { Place } from './place.js';

/** A file of rows: `part-<shard>-of-<shards>-<run>.jsonl`, further ones of a run with a number behind. */
export interface Part {
  readonly name: string;
  readonly shard: SinkContext['shard'];
  /** Time-ordered. */
  readonly run: string;
  /** 0 for the first of a run. */
  readonly sequence: number;
}

const partPattern = /^part-(\d+)-of-(\d+)-(.+?)(?:-(\d{6,}))?\.jsonl$/;
const SEQUENCE_DIGITS = 6;

/** The files of rows among `names`, oldest first: a row counts more than one of the same id before it. */
export function partsOf(names: readonly string[]): Part[] {
  return names
    .flatMap((name): Part[] => {
      const [, index, count, run = '', sequence = '0'] = partPattern.exec(name) ?? [];
      if (index === undefined) return [];
      const shard = { index: Number(index), count: Number(count) };
      return [{ name, shard, run, sequence: Number(sequence) }];
    })
    .sort((a, b) => compare(a.run, b.run) || a.sequence - b.sequence || compare(a.name, b.name));
}

/** Names to give to files one after the other. */
export interface PartNames {
  next(): string;
  /** What `next` gave last. */
  readonly last: string | undefined;
}

/**
 * Names that {@link partsOf} puts behind all of `parts` that may hold rows of the shard's objects. They carry the run;
 * where an earlier run has a later name, as its clock was ahead, they carry both: `<earlier>~<number>-<run>`.
 */
export function partNames({ shard, run }: SinkContext, parts: readonly Part[]): PartNames {
  const before = partsOfShard(parts, shard).at(-1);
  const own = before === undefined || before.run <= run ? run : runAfter(before.run, run);
  const stem = `part-${shard.index}-of-${shard.count}-${own}`;
  let sequence = before?.run === own ? before.sequence + 1 : 0;
  let last: string | undefined;
  return {
    get last() {
      return last;
    },
    next() {
      const number = sequence++;
      last =
        number === 0 ? `${stem}.jsonl` : `${stem}-${String(number).padStart(SEQUENCE_DIGITS, '0')}.jsonl`;
      return last;
    },
  };
}

/** Files that may hold rows of the shard's objects: other shards of the same number have others. */
export function partsOfShard(parts: readonly Part[], shard: SinkContext['shard']): Part[] {
  return parts.filter((part) => part.shard.count !== shard.count || isOfShard(part, shard));
}

export function isOfShard({ shard }: Part, { index, count }: SinkContext['shard']): boolean {
  return shard.index === index && shard.count === count;
}

function runAfter(last: string, run: string): string {
  const [, earlier = last, number = '0'] = /^(.+)~(\d+)-/.exec(last) ?? [];
  return `${earlier}~${String(Number(number) + 1).padStart(SEQUENCE_DIGITS, '0')}-${run}`;
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

export interface PlacedLine extends Line {
  readonly part: Part;
  /** Counts the lines of all parts in order. */
  readonly position: number;
}

/** The lines of several files, one file after the other. */
export async function* linesOfParts(
  place: Place,
  parts: readonly Part[],
  options: Abortable,
  first = 0,
): AsyncGenerator<PlacedLine, void, undefined> {
  let position = first;
  for (const part of parts) {
    for await (const { bytes, complete } of linesOf(place.read(part.name, options))) {
      options.signal?.throwIfAborted();
      yield { bytes, complete, part, position: position++ };
    }
  }
}

/** SINK where someone else has written into a file of ours. */
export function parsed<T>(
  place: Place,
  { part, position, bytes }: PlacedLine,
  parse: (bytes: Uint8Array) => T,
): T {
  try {
    return parse(bytes);
  } catch (error) {
    throw new EmbatchError(
      'SINK',
      `${place.uri}/${part.name} holds a line that is no row (line ${position + 1} of the index): ` +
        `${describeError(error)}. Remove the line, or build the index anew with --recreate`,
      { cause: error },
    );
  }
}
