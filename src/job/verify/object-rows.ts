import type { IndexRow } from './index-rows.js';
import { IdSet } from './id-set.js';

/** Rows of an object that were made from one version in one way. */
export interface RowGroup {
  readonly version: string;
  /** `space-text`. */
  readonly fingerprint: string;
  /** Distinct ids. */
  readonly rows: number;
  readonly documents: number;
  /** Documents whose ordinals are not all there. */
  readonly incomplete: number;
  /** Some of its rows are of records. */
  readonly hasRecords: boolean;
  readonly ids: IdSet;
}

/** More groups than this are counted as one: no run leaves so many, and memory must not grow with them. */
const MAX_GROUPS = 16;

/**
 * What the index has of one object. Takes its rows in the order of `sortedRows`, one after the other, and holds none of
 * them: an object may have millions.
 */
export class ObjectRows {
  readonly #groups = new Map<string, GroupCounter>();
  #total = 0;
  #duplicates = 0;
  #lastId: string | undefined;

  add(row: IndexRow): void {
    this.#total += 1;
    if (row.id === this.#lastId) this.#duplicates += 1;
    this.#lastId = row.id;
    this.#groupOf(row).add(row);
  }

  /** Rows, duplicates included. */
  get total(): number {
    return this.#total;
  }

  /** Rows whose id was there already. */
  get duplicates(): number {
    return this.#duplicates;
  }

  /** To be asked once all rows were added. */
  groups(): readonly RowGroup[] {
    return Array.from(this.#groups.values(), (group) => group.ended());
  }

  #groupOf({ version, fingerprint }: IndexRow): GroupCounter {
    const name = JSON.stringify([version, fingerprint]);
    let group = this.#groups.get(name);
    if (group === undefined) {
      const last = this.#groups.size >= MAX_GROUPS ? [...this.#groups.values()].at(-1) : undefined;
      group = last ?? new GroupCounter(version, fingerprint);
      if (last === undefined) this.#groups.set(name, group);
    }
    return group;
  }
}

class GroupCounter implements RowGroup {
  readonly version: string;
  readonly fingerprint: string;
  readonly ids = new IdSet();
  rows = 0;
  documents = 0;
  incomplete = 0;
  hasRecords = false;
  #lastId: string | undefined;
  #record: IndexRow['record'];
  /** Ordinal that must come next in the document; -1 once one did not. */
  #next = 0;
  #chunks = 0;
  #isOpen = false;

  constructor(version: string, fingerprint: string) {
    this.version = version;
    this.fingerprint = fingerprint;
  }

  add({ id, record, chunk, chunks }: IndexRow): void {
    if (id === this.#lastId) return;
    this.#lastId = id;
    this.rows += 1;
    if (record !== undefined) {
      this.hasRecords = true;
      this.ids.add(id);
    }
    if (!this.#isOpen || record !== this.#record) {
      this.#endDocument();
      this.#isOpen = true;
      this.#record = record;
      this.#next = 0;
      this.#chunks = chunks;
      this.documents += 1;
    }
    this.#next = chunk === this.#next && chunks === this.#chunks ? chunk + 1 : -1;
  }

  ended(): RowGroup {
    this.#endDocument();
    return this;
  }

  #endDocument(): void {
    if (this.#isOpen && this.#next !== this.#chunks) this.incomplete += 1;
    this.#isOpen = false;
  }
}
