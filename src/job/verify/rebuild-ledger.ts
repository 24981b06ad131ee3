import type { SourceObject } from '../../core/interfaces.js';
import { Spool } from '../../core/spool.js';
import type { LedgerEntry } from '../../ledger/objects/entry.js';
import type { Ledger } from '../../ledger/objects/ledger.js';
import { hasRanges } from '../share.js';
import { judgeObject, type KnownObject, type Verdict } from './judge-object.js';
import { lookAtAll, type LookedAt } from './look.js';
import type { RowGroup } from './object-rows.js';
import type { ProveRecords } from './prove-records.js';

export interface Rebuilt {
  /** Objects whose rows are all there: no run reads them again. */
  readonly recorded: number;
  /** Objects whose rows do not prove that: the next run embeds them again, and removes what is left over. */
  readonly doubtful: number;
}

/**
 * Makes the ledger anew from what the index holds: for every object of the source id, also those beyond prefix and
 * filters. What failed or was skipped stays as the ledger has it, if it has it: the index knows nothing of that. Nothing
 * is written before all was seen, and then all of it at once. Errors: SOURCE, SINK, STATE.
 */
export async function rebuildLedger(
  lookedAt: LookedAt,
  {
    ledger,
    prove,
    isSplit,
  }: {
    readonly ledger: Ledger;
    readonly prove: ProveRecords;
    /** Whether an object is done by ranges, which are accounted for one by one: what lacks some is not begun anew. */
    readonly isSplit: (object: SourceObject) => boolean;
  },
): Promise<Rebuilt> {
  const entries = new Spool<LedgerEntry>();
  let recorded = 0;
  let doubtful = 0;
  try {
    const { verdicts } = lookAtAll(lookedAt, { ledger, prove, onlyCovered: false, judge: judgeByIndex });
    for await (const verdict of verdicts) {
      const entry = entryOf(verdict, isSplit);
      if (entry === undefined) continue;
      if (entry.status === 'done') recorded += 1;
      else if (entry.status === 'open') doubtful += 1;
      await entries.add(entry);
    }
    await ledger.adopt(entries.read());
  } finally {
    await entries.close();
  }
  return { recorded, doubtful };
}

/** As if the ledger had nothing but what the index cannot tell. */
function judgeByIndex(known: KnownObject, space: string): Verdict {
  const { entry } = known;
  const isTold = entry?.status === 'failed' || entry?.status === 'skipped';
  return { ...judgeObject({ ...known, entry: isTold ? entry : undefined }, space), entry };
}

/** What the ledger must have; undefined where it may stay as it is. */
function entryOf(verdict: Verdict, isSplit: (object: SourceObject) => boolean): LedgerEntry | undefined {
  const { key, object, entry, rows, state, group } = verdict;
  // Its ranges are being done, perhaps by others: what is known of them is better than a guess.
  if (entry?.status === 'open' && entry.split === true && state !== 'unrecorded') return undefined;
  const [first] = rows.groups();
  if (first === undefined) {
    // The index has nothing of it.
    const believes = entry?.status === 'done' || entry?.status === 'open';
    return believes ? { ...entry, status: 'removed' } : undefined;
  }
  if (state === 'failed' || state === 'skipped') return undefined;
  if (object !== undefined && state !== 'unrecorded' && isSplit(object)) return undefined;
  const whole = object === undefined ? wholeUnlisted(verdict) : state === 'unrecorded' ? group : undefined;
  const { version, fingerprint } = whole ?? first;
  return {
    key,
    version,
    status: whole === undefined ? 'open' : 'done',
    chunks: whole?.rows ?? rows.total,
    text: textHalf(fingerprint),
    // Of large objects every shard must know: its ranges are not to be done again.
    ...(hasRanges(key) ? { split: true } : {}),
  };
}

/** The rows of an object that is not listed, such as one beyond the prefix, where they are whole without a doubt. */
function wholeUnlisted({ rows }: Verdict): RowGroup | undefined {
  const groups = rows.groups();
  const [group] = groups;
  const isDoubtful =
    groups.length > 1 || rows.duplicates > 0 || group?.hasRecords !== false || group.incomplete > 0;
  return isDoubtful ? undefined : group;
}

/** Of `space-text`. */
export const textHalf = (fingerprint: string): string => fingerprint.split('-')[1] ?? '';
