import { EmbatchError } from '../core/errors.js';
import type { IndexInfo, Logger, Sink, Source, SourceObject, StateStore } from '../core/interfaces.js';
import type { Options } from '../core/options.js';
import { fingerprint, newIndexInfo } from '../core/recipe.js';
import { withFirst } from '../core/streams.js';
import type { Model } from '../embed/model/model.js';
import { defaultStateUri } from '../ledger/default-state.js';
import type { Lease } from '../ledger/lease.js';
import { openState } from '../ledger/open-state.js';
import { writeStart } from '../ledger/summary.js';
import { fleetToken } from '../shard/fleet-token.js';
import { detectRank, readTextFile, type Rank } from '../shard/rank.js';
import { copiedInput } from '../shard/sagemaker.js';
import { checkOwnReference } from './check-model.js';
import { resolveEmbedding, resolveModel, type Embedding } from './embedding.js';
import { resetTokens, startPool, warmUp, type EmbeddingPool } from './engine.js';
import { openSourceOf, requireSource } from './open-parts.js';
import { createSink } from './registry.js';
import type { RunContext } from './run.js';
import type { Known } from './summary.js';
import { takeLease, takeSingleInstance } from './take-lease.js';
import type { Tally } from './tally.js';

export interface ShardRun {
  readonly run: string;
  readonly options: Options;
  readonly context: RunContext;
  readonly tally: Tally;
  readonly known: Known;
  /** Takes what ends each thing that was opened. */
  readonly closers: (() => Promise<void>)[];
}

/** All that a shard works with, opened and checked. */
export interface OpenShard {
  readonly rank: Rank;
  /** Whose keys are this shard's. */
  readonly keys: { readonly index: number; readonly count: number };
  /** SageMaker has shared out the keys already: the listing shows this shard's only. */
  readonly isSharedOut: boolean;
  readonly source: Source;
  readonly listing: AsyncIterable<SourceObject>;
  readonly sink: Sink;
  readonly index: IndexInfo;
  /** The index was there before this run. */
  readonly isOldIndex: boolean;
  readonly embedding: Embedding;
  readonly fingerprint: string;
  readonly pool: EmbeddingPool;
  readonly state: StateStore;
  /** The right to write the sink, where it needs one. */
  readonly lease: Lease | undefined;
  /** Fire when a right of this run was lost: another may write. */
  readonly lost: readonly AbortSignal[];
}

/** Opens everything, in the order in which mistakes cost least: nothing is written before all of it is known to work. */
export async function openShard(shardRun: ShardRun): Promise<OpenShard> {
  const { run, options, context, known, closers } = shardRun;
  const { log } = context;
  const sourceUri = requireSource(options);
  const rank = await detectRank(process.env, options);
  known.rank = rank;
  announceRank(rank, options, log);
  const shard = { index: rank.index, count: rank.count };
  const state = await openState(options.state ?? defaultStateUri(sourceUri, options.sink));
  // From here on whoever follows the shards by their state learns of a failure, too.
  if (options.state !== undefined) known.state = state;
  const sink = await createSink(options.sink, options, { log, run, shard });
  closers.push(() => sink.close());
  known.sink = sink.uri;

  const existing = options.recreate ? undefined : await sink.inspect({ signal: context.stop });
  const model = await resolveModel(options, { log, index: existing, signal: context.stop });
  const embedding = resolveEmbedding(model, options);
  announceModel(embedding.model, log);
  if (context.mode === 'retry' && existing === undefined) throw nothingToRetry(sink);
  const pool = await startPool(embedding, { ...options, log });
  closers.push(() => pool.close());
  const copied = await copiedInput(sourceUri, readTextFile);
  const source = await openSourceOf(options, { sink, sourceId: copied?.s3Uri, log });
  closers.push(() => source.close());

  // A source that cannot be listed is found out before an index is made for it.
  const listing = await withFirst(source.list({ signal: context.stop }));
  await warmUp(pool);
  await checkOwnReference(pool, embedding.model);
  resetTokens(pool);
  const leaseOptions = { run, rank, log, signal: context.stop, closers };
  const lease = await takeLease(sink, leaseOptions);
  const instance = options.singleInstance
    ? await takeSingleInstance({ state, source, sink }, leaseOptions)
    : undefined;
  warnOfLonelyState(options, rank, { sink, state, log });
  const index = await prepareIndex(sink, embedding, options, context);
  const whole = fingerprint(embedding.recipe);
  known.fingerprint = whole;
  const start = {
    run,
    source: source.uri,
    sourceId: source.id,
    sink: sink.uri,
    index: { ...index, fingerprint: whole },
    removes: options.delete,
    fleet: fleetToken(process.env),
  };
  if (context.mode === 'run') await writeStart(state, shard, start);
  known.state = state;
  const isSharedOut = copied?.sharded === true;
  return {
    rank,
    keys: isSharedOut ? { index: 0, count: 1 } : shard,
    isSharedOut,
    source,
    listing,
    sink,
    index,
    isOldIndex: existing !== undefined,
    embedding,
    fingerprint: whole,
    pool,
    state,
    lease,
    lost: [lease, instance].flatMap((held) => (held === undefined ? [] : [held.lost])),
  };
}

function nothingToRetry(sink: Sink): EmbatchError {
  return new EmbatchError(
    'USAGE',
    `there is no index at ${sink.uri}, so nothing has failed there: use \`embatch run\`.`,
  );
}

function announceRank(rank: Rank, options: Options, log: Logger): void {
  if (rank.from !== 'flag' && rank.from !== 'default') {
    log.info(`shard ${rank.index} of ${rank.count}, from ${rank.from}`);
  }
  if (options.recreate && rank.count > 1) {
    throw new EmbatchError(
      'USAGE',
      `--recreate with ${rank.count} shards would drop what other shards have written. Drop the index first, or ` +
        'run once with --recreate --limit 1 and without shards; then start the shards.',
    );
  }
}

function announceModel(model: Model, log: Logger): void {
  const length = Number.isFinite(model.maxTokens) ? `up to ${model.maxTokens} tokens` : 'texts of any length';
  log.info(
    `model ${model.id}: ${model.precision} from ${model.origins['graph'] ?? model.encoder.file}; ` +
      `${model.dimensions} dimensions, ${length}`,
  );
  for (const notice of model.notices) log.warn(notice);
}

interface StatePlace {
  readonly sink: Sink;
  readonly state: StateStore;
  readonly log: Logger;
}

function warnOfLonelyState(options: Options, rank: Rank, { sink, state, log }: StatePlace): void {
  if (options.state !== undefined || rank.count === 1 || sink.leaseUri !== undefined) return;
  log.warn(
    `shard ${rank.index} of ${rank.count} keeps its state in ${state.uri}, which the others may not see: ` +
      'give all shards one --state (a shared folder or s3://…) to follow the whole job.',
  );
}

async function prepareIndex(
  sink: Sink,
  embedding: Embedding,
  options: Options,
  context: RunContext,
): Promise<IndexInfo> {
  const wanted = newIndexInfo(embedding.recipe, embedding.model.dimensions);
  const index = await sink.prepare(wanted, { signal: context.abandon, recreate: options.recreate });
  if (index.fingerprint !== wanted.fingerprint) {
    context.log.warn(
      `${sink.uri} was built with other chunk options: the documents of this run are cut in the new way, the ` +
        'rest stays as it is. --recreate builds all of it anew.',
    );
  }
  return index;
}
