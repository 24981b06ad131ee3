import { objectHash, objectUri } from '../core/ids.js';
import type { Abortable, Logger, Sink, SourceObject } from '../core/interfaces.js';
import type { LedgerEntry } from '../ledger/objects/entry.js';
import type { Ledger } from '../ledger/objects/ledger.js';
import { SeenIds } from './seen-ids.js';

export interface SplitObjectsOptions extends Abortable {
  readonly sink: Pick<Sink, 'removeRows'>;
  readonly ledger: Ledger;
  readonly sourceId: string;
  /** Fingerprints of the halves of the recipe that this run writes with. */
  readonly space: string;
  readonly text: string;
  /** False keeps what former versions left behind. */
  readonly removing: boolean;
  readonly log: Logger;
}

/**
 * Objects that are done by ranges, perhaps on several shards. Such an object is settled when all its ranges are, by whoever
 * finds that first: of shards that end at the same moment at least one does, since each stores what it has done before
 * it looks at what the others have. What a former version left goes then and not before, so that no document vanishes
 * while another shard has yet to write its new version.
 */
export class SplitObjects {
  readonly #options: SplitObjectsOptions;
  readonly #expected = new Set<string>();
  #seen: { readonly key: string; readonly ids: SeenIds } | undefined;

  constructor(options: SplitObjectsOptions) {
    this.#options = options;
  }

  /** Takes an object that is not settled yet, or of which a range is done again. */
  expect({ key }: Pick<SourceObject, 'key'>): void {
    this.#expected.add(key);
  }

  /** Record ids of an object, for all of its ranges that this run reads, which come one after the other. */
  seenIds(key: string): SeenIds {
    if (this.#seen?.key !== key) this.#seen = { key, ids: new SeenIds() };
    return this.#seen.ids;
  }

  /** Settles those whose ranges are all done; gives the number of rows removed. Errors: SINK, STATE. */
  async settle(): Promise<number> {
    if (this.#expected.size === 0) return 0;
    return settleSplitObjects(this.#options, (key) => this.#expected.has(key));
  }
}

/** The same for all objects that `wants` is true for: also those that this process has not seen. */
export async function settleSplitObjects(
  options: SplitObjectsOptions,
  wants: (key: string) => boolean,
): Promise<number> {
  const { ledger, signal } = options;
  let removed = 0;
  let whole: LedgerEntry | undefined;
  let ranges: LedgerEntry[] = [];
  const endObject = async (): Promise<void> => {
    const settled = settledBy(ranges);
    if (settled !== undefined && wants(settled.key))
      removed += await settleOne(settled, { whole, ranges }, options);
    ranges = [];
    whole = undefined;
  };
  for await (const entry of ledger.entriesOfAll({ signal })) {
    if (entry.key !== (ranges[0] ?? whole)?.key) await endObject();
    if (entry.range === undefined) whole = entry;
    else ranges.push(entry);
  }
  await endObject();
  return removed;
}

/** What an object is as a whole by its ranges; undefined where one of them is lacking, or of another version. */
function settledBy(ranges: readonly LedgerEntry[]): LedgerEntry | undefined {
  const [first] = ranges;
  if (first?.range?.start !== 0 || first.range.count !== ranges.length) return undefined;
  const { key, version, text } = first;
  const isWhole = ranges.every(
    (entry, index) =>
      entry.version === version &&
      entry.status !== 'open' &&
      entry.range?.index === index &&
      entry.range.count === ranges.length &&
      entry.range.start === (ranges[index - 1]?.range?.end ?? 0),
  );
  if (!isWhole) return undefined;
  const failed = ranges.find(({ status }) => status === 'failed');
  const chunks = ranges.reduce((sum, entry) => sum + entry.chunks, 0);
  return {
    ...{ key, version, chunks, text, split: true },
    status: failed === undefined ? 'done' : 'failed',
    ...(failed?.reason === undefined ? {} : { reason: failed.reason }),
  };
}

async function settleOne(
  settled: LedgerEntry,
  { whole, ranges }: { readonly whole: LedgerEntry | undefined; readonly ranges: readonly LedgerEntry[] },
  { sink, ledger, sourceId, space, text, removing, log, signal }: SplitObjectsOptions,
): Promise<number> {
  const { key, version, status, chunks } = settled;
  const isKnown = whole?.version === version && whole.status === status && whole.chunks === chunks;
  if (isKnown && whole.text === settled.text) return 0;
  const others = ranges.filter((entry) => entry.text !== settled.text);
  if (others.length > 0) {
    // Rows that were cut in two ways cannot be told from what a former version left.
    log.warn(`${key} was cut with two sets of chunk options: the next run embeds the older part of it again`);
    for (const entry of ranges) if (entry.text !== text) ledger.commit({ ...entry, status: 'open' });
    return 0;
  }
  // What failed as a whole keeps what it had: that is old, but better than nothing.
  const isWhollyFailed = status === 'failed' && chunks === 0;
  let removed = 0;
  if (removing && !isWhollyFailed) {
    const object = objectHash(objectUri(sourceId, key));
    const keep = { version, fingerprint: `${space}-${settled.text}` };
    removed = await sink.removeRows([{ object, keep }], { signal });
  }
  ledger.commit(settled);
  return removed;
}
