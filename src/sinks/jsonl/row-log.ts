import type { Abortable, Row, SinkContext, StaleRows } from '../../core/interfaces.js';
import { lineOfRemoval, lineOfRow } from './lines.js';
import { storedRows } from './look-up.js';
import { partNames, partsOf, partsOfShard, type Part, type PartNames } from './parts.js';
import type { Appender, Place } from './place.js';
import type { StoredRows } from './stored-rows.js';

interface Appending {
  readonly to: Appender;
  readonly names: PartNames;
}

interface Known {
  readonly rows: StoredRows;
  /** Names of the files that they are in. */
  readonly parts: Set<string>;
}

/**
 * What a shard appends to an index: rows, and removals of rows that stand before. One call at a time. What is in the
 * index is read at the first removal and counted along from there: the lease keeps other writers of these rows away.
 */
export class RowLog {
  readonly #place: Place;
  readonly #context: SinkContext;
  #appending: Appending | undefined;
  #known: Known | undefined;

  constructor(place: Place, context: SinkContext) {
    this.#place = place;
    this.#context = context;
  }

  /** Durable when it resolves; on an error none of the rows is there. */
  async append(rows: readonly Row[], options: Abortable): Promise<void> {
    await this.#write(rows.map(lineOfRow), options);
    for (const { id, embatch } of rows) this.#known?.rows.note(id, embatch);
  }

  /** Returns how many rows were removed; durable when it resolves. */
  async remove(stale: readonly StaleRows[], options: Abortable): Promise<number> {
    const parts = await this.#parts(options);
    const ofShard = partsOfShard(parts, this.#context.shard);
    const { rows } = (this.#known = await this.#knownOf(parts, ofShard, options));
    let removed = 0;
    const lines: string[] = [];
    for (const one of stale) {
      const count = rows.count(one);
      if (count === 0) continue;
      removed += count;
      rows.remove(one);
      lines.push(lineOfRemoval(one));
    }
    if (lines.length === 0) return 0;
    // A removal counts against what stands before it, and so must stand behind all.
    if (this.#appending?.names.last !== ofShard.at(-1)?.name) await this.#endFile();
    await this.#write(lines, options);
    return removed;
  }

  /** What comes later goes into another file; those that are there may then be changed. */
  async end(): Promise<void> {
    this.#known = undefined;
    await this.#endFile();
  }

  async #knownOf(parts: readonly Part[], ofShard: readonly Part[], options: Abortable): Promise<Known> {
    const known = this.#known;
    if (known !== undefined && ofShard.every(({ name }) => known.parts.has(name))) return known;
    const rows = await storedRows(this.#place, parts, options);
    return { rows, parts: new Set(parts.map(({ name }) => name)) };
  }

  async #write(lines: readonly string[], options: Abortable): Promise<void> {
    const known = this.#known;
    // Whether it is there after an error, nobody knows.
    this.#known = undefined;
    const { to, names } = (this.#appending ??= await this.#open(options));
    await to.write(Buffer.from(lines.join('')), options);
    if (names.last !== undefined) known?.parts.add(names.last);
    this.#known = known;
  }

  async #endFile(): Promise<void> {
    const appending = this.#appending;
    this.#appending = undefined;
    await appending?.to.close();
  }

  async #open(options: Abortable): Promise<Appending> {
    const names = partNames(this.#context, await this.#parts(options));
    return { to: this.#place.append(() => names.next()), names };
  }

  async #parts(options: Abortable): Promise<Part[]> {
    return partsOf(await this.#place.list(options));
  }
}
