import { describeError, EmbatchError } from '../../core/errors.js';
import type { IndexInfo, Logger, Sink, Source, SourceObject, StateStore } from '../../core/interfaces.js';
import { assertSameSpace, newIndexInfo } from '../../core/recipe.js';
import { diffListing, type Change } from '../../ledger/objects/diff-listing.js';
import type { LedgerEntry } from '../../ledger/objects/entry.js';
import { knownObjects, standing } from '../../ledger/objects/known-objects.js';
import { LedgerFiles } from '../../ledger/objects/ledger-files.js';
import { shardOfRange } from '../../shard/record-ranges.js';
import type { Embedding } from '../embedding.js';

/** The index as it is; undefined where there is none, or where the sink cannot be asked: that is told by a warning. */
export async function inspectSink(
  sink: Sink,
  signal: AbortSignal,
  warn: (message: string) => void,
): Promise<IndexInfo | undefined> {
  try {
    return await sink.inspect({ signal });
  } catch (error) {
    signal.throwIfAborted();
    warn(`the sink could not be asked, so this is the plan of a new index: ${describeError(error)}`);
    return undefined;
  }
}

/** A run would end at once: the plan says so, and goes on as for a new index. */
export function isOtherSpace(
  index: IndexInfo | undefined,
  { recipe, model }: Embedding,
  { sink, warn }: { readonly sink: Sink; readonly warn: (message: string) => void },
): boolean {
  if (index === undefined) return false;
  try {
    assertSameSpace(index, newIndexInfo(recipe, model.dimensions), sink.uri);
    return false;
  } catch (error) {
    if (!(error instanceof EmbatchError)) throw error;
    warn(`a run would be refused: ${error.message}`);
    return true;
  }
}

export interface KnownPlace {
  readonly source: Source;
  readonly sink: Sink;
  readonly state: StateStore;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * The listing compared with what the ledger knows of this index, as a run would; all is new where there is no index. Reads
 * the ledger, and writes nothing. Errors: SOURCE, STATE.
 */
export async function* compareWithLedger(
  listing: AsyncIterable<SourceObject>,
  index: IndexInfo | undefined,
  { source, sink, state, log, signal }: KnownPlace,
): AsyncGenerator<Change> {
  let entries: AsyncIterable<LedgerEntry> = none();
  if (index !== undefined) {
    const files = new LedgerFiles({
      store: state,
      indexId: index.indexId,
      sinkUri: sink.uri,
      sourceId: source.id,
      shardOf: shardOfRange,
      onDamage: (what) => log.warn(`the ledger is incomplete: ${what}`),
    });
    const all = files.read(await files.list({ signal }), { index: 0, count: 1 }, { signal });
    entries = knownObjects(standing(all));
  }
  for await (const change of diffListing(listing, entries)) {
    if (change.kind === 'gone' && !(await source.covers(change.entry.key))) continue;
    yield change;
  }
}

async function* none(): AsyncGenerator<never> {
  // Nothing is known.
}
