import { compareUtf8 } from '../../core/bytes-order.js';
import type { Sink, Source, SourceObject } from '../../core/interfaces.js';
import type { Ledger } from '../../ledger/objects/ledger.js';
import { compareAll, type Compared } from './compare.js';
import { sortedRows, type RowCounts } from './index-rows.js';
import type { Verdict } from './judge-object.js';
import { knownObjects } from '../../ledger/objects/known-objects.js';
import type { ProveRecords } from './prove-records.js';

/** What is looked at, open. */
export interface LookedAt {
  readonly source: Source;
  readonly sink: Pick<Sink, 'facts'>;
  /** Fingerprint of the space half of the index's recipe. */
  readonly space: string;
  /** Whether a key is of the shard that is looked at. */
  readonly isMine: (key: string) => boolean;
  /** False where the listing is only a share of the source, so that nothing follows from what it lacks. */
  readonly listsAll: boolean;
  /** Keys of the listing that were let through, at most; undefined for all. */
  readonly limit: number | undefined;
  /** A key that the filters leave out counts as gone. */
  readonly deleteFiltered: boolean;
  readonly signal: AbortSignal;
}

export interface LookOptions extends Pick<Compared, 'onRow' | 'judge'> {
  readonly ledger: Pick<Ledger, 'entries'>;
  /** Tells whether rows of records are all that the source gives; called for objects that the ledger does not know. */
  readonly prove: ProveRecords;
  /** False takes keys along that the source, as it was named, does not reach. */
  readonly onlyCovered: boolean;
}

export interface Look {
  /** One verdict per key, ascending. Errors: SOURCE, SINK, STATE. */
  readonly verdicts: AsyncIterable<Verdict>;
  /** Complete once all verdicts were seen. */
  readonly counts: RowCounts & {
    /** Rows of keys that the source, as it was named, does not reach. */
    uncovered: number;
  };
}

/** Reads source, ledger and index once, and judges every key. */
export function lookAtAll(lookedAt: LookedAt, options: LookOptions): Look {
  const counts = { own: 0, others: 0, uncovered: 0 };
  return { verdicts: judged(lookedAt, options, counts), counts };
}

async function* judged(
  lookedAt: LookedAt,
  options: LookOptions,
  counts: Look['counts'],
): AsyncGenerator<Verdict, void, undefined> {
  const { source, sink, space, isMine, signal } = lookedAt;
  const listing = new Listing(lookedAt);
  const facts = sink.facts({ signal });
  const compared = compareAll({
    listing: listing.mine(),
    entries: ofShard(knownObjects(options.ledger.entries({ signal })), isMine),
    rows: sortedRows(facts, { sourceId: source.id, isMine, counts, signal }),
    space,
    onRow: options.onRow,
    judge: options.judge,
  });
  for await (const verdict of compared) {
    signal.throwIfAborted();
    if (verdict.object !== undefined) {
      yield verdict.state === 'unproven' ? await proved(verdict, options.prove) : verdict;
    } else if (!options.onlyCovered || verdict.state === 'gone' || (await listing.reaches(verdict.key))) {
      yield verdict;
    } else {
      counts.uncovered += verdict.rows.total;
    }
  }
}

async function proved(verdict: Verdict, prove: ProveRecords): Promise<Verdict> {
  const { key, object, group } = verdict;
  const lack = object === undefined || group === undefined ? 'it is not listed' : await prove(object, group);
  if (lack === undefined) return { ...verdict, state: 'unrecorded' };
  const detail = `the ledger does not know it, and ${lack}`;
  return { ...verdict, state: 'differs', findings: [{ key, finding: 'incomplete', detail }] };
}

/** Objects that are shared out are known to every shard. */
async function* ofShard<Known extends { readonly key: string }>(
  objects: AsyncIterable<Known>,
  isMine: (key: string) => boolean,
): AsyncGenerator<Known, void, undefined> {
  for await (const object of objects) if (isMine(object.key)) yield object;
}

/** The objects of the source, and which keys it would list if there were such objects. */
class Listing {
  readonly #lookedAt: LookedAt;
  #listed = 0;
  #last: string | undefined;

  constructor(lookedAt: LookedAt) {
    this.#lookedAt = lookedAt;
  }

  async *mine(): AsyncGenerator<SourceObject, void, undefined> {
    const { source, isMine, signal } = this.#lookedAt;
    for await (const object of source.list({ signal })) {
      this.#listed += 1;
      this.#last = object.key;
      if (isMine(object.key)) yield object;
    }
  }

  async reaches(key: string): Promise<boolean> {
    const { source, limit, deleteFiltered, listsAll } = this.#lookedAt;
    if (!listsAll) return false;
    // What comes after the last key that --limit lets through was not looked at.
    const isBeyond = this.#last === undefined || compareUtf8(key, this.#last) > 0;
    if (isBeyond && this.#listed === limit) return false;
    return source.covers(key, { filters: !deleteFiltered });
  }
}
