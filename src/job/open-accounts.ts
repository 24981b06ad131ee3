import { createDeadLetters, type DeadLetters } from '../ledger/dead-letters.js';
import { openLedger, type Ledger } from '../ledger/objects/ledger.js';
import { shardOfRange } from '../shard/record-ranges.js';
import { openFormerLetters, type FormerLetters } from './former-letters.js';
import type { OpenShard, ShardRun } from './open-shard.js';

/** What a run knows of former ones, and writes for those to come. */
export interface Accounts {
  readonly ledger: Ledger;
  /** Of this run. */
  readonly deadLetters: DeadLetters;
  readonly formerLetters: FormerLetters;
}

/** Opens the ledger of this source and index, and the dead letters that belong to it. Error: STATE. */
export async function openAccounts(
  { run, context, closers }: ShardRun,
  { state, source, sink, index, rank, keys }: OpenShard,
): Promise<Accounts> {
  const { log } = context;
  const writer = { index: rank.index, count: rank.count };
  const formerLetters = await openFormerLetters({
    state,
    sourceId: source.id,
    sinkUri: sink.uri,
    log,
    signal: context.stop,
  });
  const deadLetters = createDeadLetters(state, { run, shard: writer, sink: sink.uri });
  closers.push(() => deadLetters.close());
  const ledger = await openLedger({
    store: state,
    indexId: index.indexId,
    sinkUri: sink.uri,
    sourceId: source.id,
    run,
    shard: keys,
    writer,
    shardOf: shardOfRange,
    before: () => deadLetters.flush(),
    onCommit: (entry) => {
      formerLetters.committed(entry);
    },
    log,
  });
  closers.push(() => ledger.close());
  return { ledger, deadLetters, formerLetters };
}
