import { EmbatchError, describeError } from '../../core/errors.js';
import type { Abortable, SinkContext } from '../../core/interfaces.js';
import { idOfLine, linesOf, type Line } from './lines.js';
import type { Place } from './place.js';

/** A file of rows: `part-<shard>-of-<shards>-<run>.jsonl`, further ones of a run with a number behind. */
export interface Part {
  readonly name: string;
  /** `<shard>-of-<shards>`. */
  readonly label: string;
  /** Time-ordered. */
  readonly run: string;
}

const partPattern = /^part-(\d+-of-\d+)-(.+)\.jsonl$/;
const SEQUENCE_DIGITS = 6;

export function labelOf({ index, count }: SinkContext['shard']): string {
  return `${index}-of-${count}`;
}

/** Gives the names that a run may use one after the other, in the order in which {@link partsOf} reads them. */
export function partNames({ shard, run }: SinkContext): () => string {
  const stem = `part-${labelOf(shard)}-${run}`;
  let given = 0;
  return () => {
    const number = given++;
    return number === 0 ? `${stem}.jsonl` : `${stem}-${String(number).padStart(SEQUENCE_DIGITS, '0')}.jsonl`;
  };
}

/** The files of rows among `names`, oldest first: a row counts more than one of the same id before it. */
export function partsOf(names: readonly string[]): Part[] {
  return names
    .flatMap((name) => {
      const match = partPattern.exec(name);
      return match === null ? [] : [{ name, label: match[1] ?? '', run: match[2] ?? '' }];
    })
    .sort((a, b) => compare(a.run, b.run) || compare(a.name, b.name));
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

export async function* linesOfPart(place: Place, { name }: Part, options: Abortable): AsyncGenerator<Line> {
  yield* linesOf(place.read(name, options));
}

/** The last place of each id, as a number that counts the lines of all parts in order. Some 100 bytes a row. */
export async function lastLines(
  place: Place,
  parts: readonly Part[],
  options: Abortable,
): Promise<ReadonlyMap<string, number>> {
  const last = new Map<string, number>();
  let position = 0;
  for (const part of parts) {
    for await (const { bytes, complete } of linesOfPart(place, part, options)) {
      if (complete)
        last.set(
          parsed(place, part, position, () => idOfLine(bytes)),
          position,
        );
      position += 1;
    }
  }
  return last;
}

/** SINK where someone else has written into a file of ours. */
export function parsed<T>(place: Place, part: Part, position: number, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new EmbatchError(
      'SINK',
      `${place.uri}/${part.name} holds a line that is no row (line ${position + 1} of the index): ` +
        `${describeError(error)}. Remove the line, or build the index anew with --recreate`,
      { cause: error },
    );
  }
}

export interface Compaction {
  /** Rows that newer ones had replaced. */
  readonly superseded: number;
  /** Rows that a writer was killed in. */
  readonly torn: number;
}

/** Leaves one row of each id in `parts`, file by file in one step each: a kill at any moment costs nothing. */
export async function compactParts(
  place: Place,
  parts: readonly Part[],
  options: Abortable,
): Promise<Compaction> {
  const last = await lastLines(place, parts, options);
  let position = 0;
  let superseded = 0;
  let torn = 0;
  for (const part of parts) {
    const first = position;
    const kept = new Set<number>();
    for await (const { bytes, complete } of linesOfPart(place, part, options)) {
      if (!complete) torn += 1;
      else if (last.get(idOfLine(bytes)) === position) kept.add(position);
      else superseded += 1;
      position += 1;
    }
    if (kept.size === position - first) continue;
    if (kept.size === 0) await place.remove(part.name, options);
    else await place.replace(part.name, keptLines(place, part, first, kept, options), options);
  }
  return { superseded, torn };
}

const NEWLINE = Buffer.from('\n');

async function* keptLines(
  place: Place,
  part: Part,
  first: number,
  kept: ReadonlySet<number>,
  options: Abortable,
): AsyncGenerator<Uint8Array> {
  let position = first;
  for await (const { bytes } of linesOfPart(place, part, options)) {
    if (kept.has(position)) {
      yield bytes;
      yield NEWLINE;
    }
    position += 1;
  }
}
