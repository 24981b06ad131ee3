import { EmbatchError } from '../core/errors.js';
import { objectHash, objectUri } from '../core/ids.js';
import type { Abortable, Logger, Sink, Source } from '../core/interfaces.js';
import { Spool } from '../core/spool.js';
import { counted, formatCount } from '../core/units.js';
import type { LedgerEntry } from '../ledger/objects/entry.js';
import type { Ledger } from '../ledger/objects/ledger.js';
import type { Tally } from './tally.js';

/** Objects whose rows are removed together. */
const REMOVED_TOGETHER = 256;

export interface DepartedOptions extends Abortable {
  readonly source: Source;
  readonly sink: Sink;
  readonly ledger: Ledger;
  /** `--delete-filtered`: an object that the globs leave out counts as gone. */
  readonly deleteFiltered: boolean;
  /** Share of what the ledger knows under this source, 0 to 1. */
  readonly maxFraction: number;
  readonly tally: Tally;
  readonly log: Logger;
}

/**
 * Objects that the ledger knows and the listing lacks. They are only noted while the listing is read: nothing may be
 * concluded from a part of it.
 */
export class Departed {
  readonly #options: DepartedOptions;
  readonly #spool = new Spool<LedgerEntry>();
  #staying = 0;

  constructor(options: DepartedOptions) {
    this.#options = options;
  }

  /** Notes an object that the listing lacks, if its absence says anything. */
  async note(entry: LedgerEntry): Promise<void> {
    const { source, deleteFiltered } = this.#options;
    if (await source.covers(entry.key, { filters: !deleteFiltered })) await this.#spool.add(entry);
  }

  /** Notes an object that was listed and is gone by now. */
  add(entry: LedgerEntry): Promise<void> {
    return this.#spool.add(entry);
  }

  /** An object of the ledger is listed. */
  stays(): void {
    this.#staying += 1;
  }

  /**
   * Removes their rows, then their entries; to be called when the whole listing was seen and all else is written. Gives
   * a SOURCE error where it would be more than the fraction allowed, and then nothing is removed. Error: SINK.
   */
  async remove(): Promise<EmbatchError | undefined> {
    const { source, sink, ledger, tally, log, signal } = this.#options;
    const gone = this.#spool.count;
    if (gone === 0) return undefined;
    const refusal = this.#refusal(gone);
    if (refusal !== undefined) return refusal;
    const { deleteFiltered } = this.#options;
    const hasComeBack = async (key: string): Promise<boolean> =>
      !deleteFiltered && !(await source.covers(key, { filters: true }));
    let batch: LedgerEntry[] = [];
    const removeBatch = async (): Promise<void> => {
      // Some time has passed: what came back stays.
      const back = await Promise.all(batch.map(({ key }) => hasComeBack(key)));
      batch = batch.filter((_, index) => back[index] !== true);
      if (batch.length === 0) return;
      const stale = batch.map(({ key }) => ({
        object: objectHash(objectUri(source.id, key)),
        keep: undefined,
      }));
      await ledger.begun(Math.max(...batch.map((entry) => ledger.begin(entry))));
      tally.vectors.deleted += await sink.removeRows(stale, { signal });
      for (const { key, version, text, split } of batch) {
        ledger.commit({ key, version, status: 'removed', chunks: 0, text, ...(split && { split }) });
      }
      tally.objects.deleted += batch.length;
      batch = [];
    };
    for await (const entry of this.#spool.read()) {
      batch.push(entry);
      if (batch.length === REMOVED_TOGETHER) await removeBatch();
    }
    if (batch.length > 0) await removeBatch();
    log.info(`${counted(tally.objects.deleted, 'object')} left ${source.uri}: the rows were removed`);
    return undefined;
  }

  close(): Promise<void> {
    return this.#spool.close();
  }

  #refusal(gone: number): EmbatchError | undefined {
    const { source, sink, maxFraction } = this.#options;
    const known = gone + this.#staying;
    if (gone <= maxFraction * known) return undefined;
    return new EmbatchError(
      'SOURCE',
      `${source.uri} lacks ${formatCount(gone)} of ${formatCount(known)} objects that ${sink.uri} has of it, more than ` +
        `--max-delete-fraction ${maxFraction} allows: nothing was deleted, all else is done. If they are gone for good, ` +
        'run again with --max-delete-fraction 1; --no-delete keeps their rows.',
    );
  }
}
