import { objectHash, objectUri } from '../../core/ids.js';
import { Spool } from '../../core/spool.js';
import { formatCount } from '../../core/units.js';
import type { LedgerEntry } from '../../ledger/objects/entry.js';
import type { Ledger } from '../../ledger/objects/ledger.js';
import { hasRanges } from '../share.js';
import type { Verdict } from './judge-object.js';
import type { Verification } from './open-verification.js';
import { textHalf } from './rebuild-ledger.js';
import type { SampledRow } from './sample.js';

/** Objects whose rows are removed together, as the run does. */
const REMOVED_TOGETHER = 256;

interface Mend {
  readonly key: string;
  /** What the ledger must have before anything else happens. */
  readonly entry?: LedgerEntry;
  /** All rows of the object go: `orphan` where they are no object's, `anew` where the run writes them again. */
  readonly remove?: 'orphan' | 'anew';
}

/**
 * What a repair has to do before a run can mend the rest. Nothing is done while the index is looked at: what one look finds is
 * only true once all of it was seen.
 */
export class Repairs {
  readonly #verification: Verification;
  readonly #mends = new Spool<Mend>();
  #orphans = 0;
  #known = 0;

  constructor(verification: Verification) {
    this.#verification = verification;
  }

  async note(verdict: Verdict): Promise<void> {
    const { key, object, entry, rows, state } = verdict;
    if (entry !== undefined || rows.total > 0) this.#known += 1;
    if (object === undefined) {
      // Those that the ledger knows are the run's, with its own guards.
      if (state !== 'differs' || entry !== undefined) return;
      this.#orphans += 1;
      await this.#mends.add({ key, remove: 'orphan' });
    } else if (state === 'unrecorded') {
      await this.#mends.add({ key, entry: doneEntry(verdict) });
    } else if (state === 'differs' && (entry !== undefined || rows.total > 0)) {
      const isSurplus = verdict.findings.some(
        ({ finding }) => finding === 'duplicate' || finding === 'orphan',
      );
      // The run goes on where the ranges of an object end; to take them back would be to begin anew.
      if (entry?.status === 'open' && entry.split === true && !isSurplus) return;
      await this.#mends.add({ key, entry: openEntry(verdict), ...(isSurplus ? { remove: 'anew' } : {}) });
    }
  }

  /** A row that holds something else than its document gives: the object is embedded anew. */
  async noteRow({ row }: SampledRow): Promise<void> {
    const { key, version, chunks, fingerprint } = row;
    await this.#mends.add({
      key,
      entry: { key, version, status: 'open', chunks, text: textHalf(fingerprint), ...splitBy(key) },
    });
  }

  /** Takes back what the ledger believes, then removes rows; gives their number. Errors: STATE, SINK. */
  async apply(ledger: Ledger): Promise<number> {
    const removesOrphans = this.#mayRemoveOrphans();
    let removed = 0;
    let batch: Mend[] = [];
    const endBatch = async (): Promise<void> => {
      const { sink, source, signal } = this.#verification;
      for (const { entry } of batch) if (entry !== undefined) ledger.commit(entry);
      await ledger.flush();
      const stale = batch.flatMap(({ key, remove }) =>
        remove === 'anew' || (remove === 'orphan' && removesOrphans)
          ? [{ object: objectHash(objectUri(source.id, key)), keep: undefined }]
          : [],
      );
      batch = [];
      if (stale.length > 0) removed += await sink.removeRows(stale, { signal });
    };
    for await (const mend of this.#mends.read()) {
      batch.push(mend);
      if (batch.length === REMOVED_TOGETHER) await endBatch();
    }
    await endBatch();
    return removed;
  }

  close(): Promise<void> {
    return this.#mends.close();
  }

  #mayRemoveOrphans(): boolean {
    const { options, source, sink, log } = this.#verification;
    if (this.#orphans === 0) return false;
    if (!options.delete || options.limit !== undefined) {
      log.warn(
        `with --${options.delete ? 'limit' : 'no-delete'} no rows of objects that left the source are removed`,
      );
      return false;
    }
    if (this.#orphans <= options.maxDeleteFraction * this.#known) return true;
    log.error(
      `${sink.uri} has rows of ${formatCount(this.#orphans)} objects, of ${formatCount(this.#known)} in all, that ` +
        `${source.uri} lacks and the ledger does not know: more than --max-delete-fraction ${options.maxDeleteFraction} ` +
        'allows, so they were not removed. If they are gone for good, repair again with --max-delete-fraction 1.',
    );
    return false;
  }
}

function doneEntry({ key, group, rows }: Verdict): LedgerEntry {
  const { version = '', fingerprint = '' } = group ?? {};
  const chunks = group?.rows ?? rows.total;
  return { key, version, status: 'done', chunks, text: textHalf(fingerprint), ...splitBy(key) };
}

/** Makes the run embed the object again, and remove what was left over. How many runs died with it stays known. */
function openEntry({ key, object, entry, rows }: Verdict): LedgerEntry {
  if (entry?.status === 'open') return entry;
  const [group] = rows.groups();
  return {
    key,
    version: entry?.version ?? group?.version ?? object?.version ?? '',
    status: 'open',
    chunks: entry?.chunks ?? rows.total,
    text: entry?.text ?? textHalf(group?.fingerprint ?? ''),
    ...splitBy(key),
  };
}

/** Takes back what any shard knows of its ranges, if it has some. */
const splitBy = (key: string): Pick<LedgerEntry, 'split'> => (hasRanges(key) ? { split: true } : {});
