import { IdHashes, hash53 } from '../../core/id-hashes.js';
import type { Abortable, Row, StaleRows } from '../../core/interfaces.js';
import { idOfLine, isRemoval, labelsOfLine, removalOfLine } from './lines.js';
import { linesOfParts, parsed, type Part, type PlacedLine } from './parts.js';
import type { Place } from './place.js';

/** What of the lines of some parts still counts. */
export interface Standing {
  /** Whether the row has neither been written again nor removed by what stands behind it. */
  isCurrent(line: PlacedLine): boolean;
  /** Whether a row of the same id stands behind it. */
  isReplaced(line: PlacedLine): boolean;
  /** Lines that are no rows: torn ones and removals. */
  readonly others: number;
  /** True where every row is current and stands alone in its id. */
  readonly allCurrent: boolean;
}

/**
 * Reads the parts once, and once more where an id is there twice. Holds 8 bytes for each row, 24 more for each id that
 * is there more than once, and the removals.
 */
export async function readStanding(
  place: Place,
  parts: readonly Part[],
  options: Abortable,
): Promise<Standing> {
  const hashes = new IdHashes();
  const removals = new Removals();
  let others = 0;
  for await (const line of linesOfParts(place, parts, options)) {
    if (line.complete && !isRemoval(line.bytes)) {
      hashes.add(parsed(place, line, idOfLine));
    } else {
      others += 1;
      if (line.complete) removals.add(line.position, parsed(place, line, removalOfLine));
    }
  }
  const last = new LastRows(hashes.repeated());
  if (last.size > 0) {
    for await (const line of linesOfParts(place, parts, options)) {
      if (line.complete && !isRemoval(line.bytes)) last.note(idOfLine(line.bytes), line.position);
    }
  }
  const isReplaced = (line: PlacedLine): boolean =>
    last.size > 0 && last.isReplaced(idOfLine(line.bytes), line.position);
  return {
    isReplaced,
    isCurrent: (line) =>
      !isReplaced(line) &&
      (removals.size === 0 || !removals.hide(line.position, parsed(place, line, labelsOfLine).embatch)),
    others,
    allCurrent: last.size === 0 && removals.size === 0,
  };
}

/** The rows that count, in the order of the files. */
export async function* currentLines(
  place: Place,
  parts: readonly Part[],
  options: Abortable,
): AsyncGenerator<PlacedLine, void, undefined> {
  const standing = await readStanding(place, parts, options);
  for await (const line of linesOfParts(place, parts, options)) {
    if (line.complete && !isRemoval(line.bytes) && standing.isCurrent(line)) yield line;
  }
}

function isKept(keep: StaleRows['keep'], { version, fingerprint }: Row['embatch']): boolean {
  return version === keep?.version && fingerprint === keep.fingerprint;
}

interface Removal {
  readonly position: number;
  readonly keep: StaleRows['keep'];
}

/** What was removed, and where the line stands that says so. */
export class Removals {
  readonly #byObject = new Map<string, readonly Removal[]>();

  get size(): number {
    return this.#byObject.size;
  }

  /** Positions ascend from call to call. */
  add(position: number, { object, keep }: StaleRows): void {
    // The later line hides all that an earlier one with the same exception does.
    const others = (this.#byObject.get(object) ?? []).filter(
      (other) =>
        keep !== undefined &&
        !(other.keep?.version === keep.version && other.keep.fingerprint === keep.fingerprint),
    );
    this.#byObject.set(object, [...others, { position, keep }]);
  }

  /** Whether a row at this position is gone. */
  hide(position: number, embatch: Row['embatch']): boolean {
    const removals = this.#byObject.get(embatch.object);
    return (
      removals?.some((removal) => removal.position > position && !isKept(removal.keep, embatch)) === true
    );
  }
}

/** Of a second hash, which tells apart ids that have one hash by chance. */
const SECOND_SEED = 0x5bd1e995;

/** Where the last row stands of each id whose hash is among `hashes`, which are sorted. */
class LastRows {
  readonly #hashes: Float64Array;
  readonly #second: Float64Array;
  readonly #positions: Float64Array;
  /** Ids whose hash another id has, too. */
  readonly #others = new Map<string, number>();

  constructor(hashes: Float64Array) {
    this.#hashes = hashes;
    this.#second = new Float64Array(hashes.length).fill(-1);
    this.#positions = new Float64Array(hashes.length);
  }

  get size(): number {
    return this.#hashes.length;
  }

  note(id: string, position: number): void {
    const slot = this.#slotOf(id);
    if (slot === undefined) return;
    const second = hash53(id, SECOND_SEED);
    if (this.#second[slot] === -1) this.#second[slot] = second;
    if (this.#second[slot] === second) this.#positions[slot] = position;
    else this.#others.set(id, position);
  }

  isReplaced(id: string, position: number): boolean {
    const slot = this.#slotOf(id);
    if (slot === undefined) return false;
    const last =
      this.#second[slot] === hash53(id, SECOND_SEED) ? this.#positions[slot] : this.#others.get(id);
    return last !== undefined && last > position;
  }

  #slotOf(id: string): number | undefined {
    const hash = hash53(id);
    let low = 0;
    let high = this.#hashes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#hashes[middle] ?? 0) < hash) low = middle + 1;
      else high = middle;
    }
    return this.#hashes[low] === hash ? low : undefined;
  }
}
