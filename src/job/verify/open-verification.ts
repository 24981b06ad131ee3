import { EmbatchError } from '../../core/errors.js';
import type { IndexInfo, Logger, Sink, StateStore } from '../../core/interfaces.js';
import type { Options } from '../../core/options.js';
import { defaultStateUri } from '../../ledger/default-state.js';
import { openLedger, type Ledger } from '../../ledger/objects/ledger.js';
import { openState } from '../../ledger/open-state.js';
import { detectRank, readTextFile, type Rank } from '../../shard/rank.js';
import { copiedInput } from '../../shard/sagemaker.js';
import { shardOfRange } from '../../shard/record-ranges.js';
import { shardOf } from '../../shard/shard-of-key.js';
import { openSourceOf, requireSource } from '../open-parts.js';
import { createSink } from '../registry.js';
import { newRunId } from '../run-id.js';
import type { LookedAt } from './look.js';

/** What is verified, open. */
export interface Verification extends LookedAt {
  readonly options: Options;
  readonly rank: Rank;
  readonly sink: Sink;
  readonly index: IndexInfo;
  readonly state: StateStore;
  readonly log: Logger;
}

export interface OpenContext {
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Takes what ends each thing that was opened. */
  readonly closers: (() => Promise<void>)[];
}

/** Errors: USAGE where there is no index, or no source is named; SOURCE, SINK, STATE. */
export async function openVerification(options: Options, context: OpenContext): Promise<Verification> {
  const { log, signal, closers } = context;
  const sourceUri = requireSource(options);
  const rank = await rankOf(options);
  const shard = { index: rank.index, count: rank.count };
  const sink = await createSink(options.sink, options, { log, run: newRunId(), shard });
  closers.push(() => sink.close());
  const index = await sink.inspect({ signal });
  if (index === undefined) {
    throw new EmbatchError(
      'USAGE',
      `there is no index in ${sink.uri} that could be verified: name the sink of your run with --sink, or make one ` +
        'with `embatch run`.',
    );
  }
  const copied = await copiedInput(sourceUri, readTextFile);
  const source = await openSourceOf(options, { sink, sourceId: copied?.s3Uri, log });
  closers.push(() => source.close());
  const state = await openState(options.state ?? defaultStateUri(sourceUri, options.sink));
  closers.push(() => state.close());
  const [space = ''] = index.fingerprint.split('-');
  const isMine = (key: string): boolean => rank.count === 1 || shardOf(key, rank.count) === rank.index;
  const { limit, deleteFiltered } = options;
  const listsAll = copied?.sharded !== true;
  return {
    ...{ options, rank, source, sink, index, state, log, signal },
    ...{ space, isMine, listsAll, limit, deleteFiltered },
  };
}

/** All keys, unless a shard is asked for: who looks is seldom one of the machines that wrote. Error: USAGE. */
async function rankOf(options: Options): Promise<Rank> {
  if (options.shard === undefined) return { index: 0, count: 1, from: 'default' };
  return detectRank({}, { ...options, rankFrom: 'none' });
}

/** The ledger as it is now. To be closed by the caller. Error: STATE. */
export function openLedgerOf(verification: Verification): Promise<Ledger> {
  const { state, index, sink, source, rank, log } = verification;
  const shard = { index: rank.index, count: rank.count };
  return openLedger({
    store: state,
    indexId: index.indexId,
    sinkUri: sink.uri,
    sourceId: source.id,
    run: newRunId(),
    shard,
    writer: shard,
    shardOf: shardOfRange,
    log,
  });
}
