import { objectHash, objectUri } from '../core/ids.js';
import type { Abortable, Logger, Sink, SourceObject } from '../core/interfaces.js';
import type { LedgerEntry } from '../ledger/objects/entry.js';
import { knownObjects, type LedgerObject } from '../ledger/objects/known-objects.js';
import type { Ledger } from '../ledger/objects/ledger.js';
import { SeenIds } from './seen-ids.js';

export interface SplitObjectsOptions extends Abortable {
  readonly sink: Pick<Sink, 'removeRows'>;
  readonly ledger: Pick<Ledger, 'entriesOfAll' | 'commit'>;
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
  for await (const known of knownObjects(ledger.entriesOfAll({ signal }))) {
    const settled = wants(known.key) ? settledBy(known.ranges) : undefined;
    if (settled !== undefined) removed += await settleOne(settled, known, options);
  }
  return removed;
}

/** What an object is as a whole by its ranges; undefined where one of them is lacking, open, or of another version. */
function settledBy(ranges: readonly LedgerEntry[]): Settled | undefined {
  const chain = chainOf(ranges);
  const [first] = chain;
  if (first?.range?.count !== chain.length || chain.some(({ status }) => status === 'open')) return undefined;
  const { key, version, text } = first;
  const failed = chain.find(({ status }) => status === 'failed');
  const entry: LedgerEntry = {
    ...{ key, version, text, split: true },
    chunks: chain.reduce((sum, { chunks }) => sum + chunks, 0),
    status: failed === undefined ? 'done' : 'failed',
    ...(failed?.reason === undefined ? {} : { reason: failed.reason }),
  };
  return { entry, chain };
}

interface Settled {
  readonly entry: LedgerEntry;
  /** The ranges that it consists of. */
  readonly chain: readonly LedgerEntry[];
}

/** The ranges that follow each other from the first byte; others are left of a former version, or of another size of ranges. */
function chainOf(ranges: readonly LedgerEntry[]): readonly LedgerEntry[] {
  const chain: LedgerEntry[] = [];
  for (const entry of ranges) {
    const last = chain.at(-1) ?? entry;
    const isNext =
      entry.range?.start === (chain.length === 0 ? 0 : last.range?.end) &&
      entry.version === last.version &&
      entry.range?.count === last.range?.count;
    if (isNext) chain.push(entry);
  }
  return chain;
}

async function settleOne(
  { entry: settled, chain }: Settled,
  known: LedgerObject,
  { sink, ledger, sourceId, space, text, removing, log, signal }: SplitObjectsOptions,
): Promise<number> {
  const { key, version, status, chunks } = settled;
  const isSame = known.version === version && known.status === status && known.chunks === chunks;
  if (isSame && known.text === settled.text) return 0;
  const others = chain.filter((entry) => entry.text !== settled.text);
  if (others.length > 0) {
    // Rows that were cut in two ways cannot be told from what a former version left.
    log.warn(`${key} was cut with two sets of chunk options: the next run embeds the older part of it again`);
    for (const entry of chain) if (entry.text !== text) ledger.commit({ ...entry, status: 'open' });
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
