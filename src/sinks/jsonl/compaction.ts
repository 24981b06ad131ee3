import type { Abortable } from '../../core/interfaces.js';
import { isRemoval } from './lines.js';
import { linesOfParts, type Part, type PlacedLine } from './parts.js';
import type { Place } from './place.js';
import { readStanding, type Standing } from './standing.js';

export interface Compaction {
  /** Rows that newer ones had replaced, or that were removed. */
  readonly rows: number;
  /** Lines that a writer was killed in. */
  readonly torn: number;
}

/**
 * Takes out of `parts` what does not count, file by file in one step each and the oldest first: a kill at any moment
 * costs nothing. `whole` says that they are all parts of the index. If they are not, removals stay, since they may
 * count against rows elsewhere, and so do the rows that they hide: without those, older ones elsewhere would count again.
 */
export async function compactParts(
  place: Place,
  parts: readonly Part[],
  whole: boolean,
  options: Abortable,
): Promise<Compaction> {
  const standing = await readStanding(place, parts, options);
  const gone = { rows: 0, torn: 0 };
  if (standing.others === 0 && standing.allCurrent) return gone;
  const stays = (line: PlacedLine): boolean =>
    line.complete && (whole ? isCurrentRow(line, standing) : isNeeded(line, standing));
  let first = 0;
  for (const part of parts) {
    let lines = 0;
    let kept = 0;
    for await (const line of linesOfParts(place, [part], options, first)) {
      lines += 1;
      if (stays(line)) kept += 1;
      else if (!line.complete) gone.torn += 1;
      else if (!isRemoval(line.bytes)) gone.rows += 1;
    }
    if (kept === 0) await place.remove(part.name, options);
    else if (kept < lines)
      await place.replace(part.name, textOf(place, part, first, stays, options), options);
    first += lines;
  }
  return gone;
}

function isCurrentRow(line: PlacedLine, standing: Standing): boolean {
  return !isRemoval(line.bytes) && standing.isCurrent(line);
}

function isNeeded(line: PlacedLine, standing: Standing): boolean {
  return isRemoval(line.bytes) || !standing.isReplaced(line);
}

const NEWLINE = Buffer.from('\n');

async function* textOf(
  place: Place,
  part: Part,
  first: number,
  stays: (line: PlacedLine) => boolean,
  options: Abortable,
): AsyncGenerator<Uint8Array> {
  for await (const line of linesOfParts(place, [part], options, first)) {
    if (!stays(line)) continue;
    yield line.bytes;
    yield NEWLINE;
  }
}
