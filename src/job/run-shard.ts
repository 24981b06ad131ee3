import { setMaxListeners } from 'node:events';
import { EmbatchError } from '../core/errors.js';
import type { IndexInfo, Logger, Sink, Source, StateStore } from '../core/interfaces.js';
import type { Options } from '../core/options.js';
import { fingerprint, newIndexInfo, textFingerprint } from '../core/recipe.js';
import { withFirst } from '../core/streams.js';
import type { Model } from '../embed/model/model.js';
import { createDeadLetters } from '../ledger/dead-letters.js';
import { defaultStateUri } from '../ledger/default-state.js';
import { startHeartbeat } from '../ledger/heartbeat.js';
import { otherWriters, type Lease } from '../ledger/lease.js';
import { openLedger, type Ledger } from '../ledger/objects/ledger.js';
import { openState } from '../ledger/open-state.js';
import { writeStart } from '../ledger/summary.js';
import { detectRank, readTextFile, type Rank } from '../shard/rank.js';
import { copiedInput } from '../shard/sagemaker.js';
import { shardOf } from '../shard/shard-of-key.js';
import { checkOwnReference } from './check-model.js';
import { countAhead } from './count-ahead.js';
import { Departed } from './departed.js';
import { resolveEmbedding, resolveModel, type Embedding } from './embedding.js';
import { resetTokens, startPool, warmUp } from './engine.js';
import { createFailureLimit } from './failure-limit.js';
import { openFormerLetters } from './former-letters.js';
import { openSourceOf, requireSource } from './open-parts.js';
import { runPipeline } from './pipeline.js';
import { createProgress, type Progress } from './progress.js';
import { createSink } from './registry.js';
import { createRowWriter } from './row-writer.js';
import type { RunContext } from './run.js';
import { createSettlements } from './settle-objects.js';
import type { Known } from './summary.js';
import { takeLease, takeSingleInstance } from './take-lease.js';
import { noneCouldBeRead, type Tally } from './tally.js';

export interface ShardRun {
  readonly run: string;
  readonly options: Options;
  readonly context: RunContext;
  readonly tally: Tally;
  readonly known: Known;
  /** Takes what ends each thing that was opened. */
  readonly closers: (() => Promise<void>)[];
}

/** One shard, from the options to the end. What is found out on the way goes into `tally` and `known`. */
export async function runShard(shardRun: ShardRun): Promise<void> {
  const { run, options, context, tally, known, closers } = shardRun;
  const { log } = context;
  const sourceUri = requireSource(options);
  const rank = await detectRank(process.env, options);
  known.rank = rank;
  announceRank(rank, options, log);
  const sink = await createSink(options.sink, options, {
    log,
    run,
    shard: { index: rank.index, count: rank.count },
  });
  closers.push(() => sink.close());
  known.sink = sink.uri;

  const existing = options.recreate ? undefined : await sink.inspect({ signal: context.stop });
  const embedding = resolveEmbedding(
    await resolveModel(options, { log, index: existing, signal: context.stop }),
    options,
  );
  announceModel(embedding.model, log);
  if (context.mode === 'retry' && existing === undefined) {
    throw new EmbatchError(
      'USAGE',
      `there is no index at ${sink.uri}, so nothing has failed there: use \`embatch run\`.`,
    );
  }
  const pool = await startPool(embedding, { ...options, log });
  closers.push(() => pool.close());
  const copied = await copiedInput(sourceUri, readTextFile);
  const source = await openSourceOf(options, { sink, sourceId: copied?.s3Uri, log });
  closers.push(() => source.close());

  const state = await openState(options.state ?? defaultStateUri(sourceUri, options.sink));
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
  known.fingerprint = fingerprint(embedding.recipe);
  await writeStart(
    state,
    { index: rank.index, count: rank.count },
    { run, source: source.uri, sink: sink.uri, index: { ...index, fingerprint: known.fingerprint } },
  );
  known.state = state;
  const formerLetters = await openFormerLetters({
    state,
    sourceId: source.id,
    sinkUri: sink.uri,
    log,
    signal: context.stop,
  });
  const deadLetters = createDeadLetters(state, {
    run,
    shard: { index: rank.index, count: rank.count },
    sink: sink.uri,
  });
  closers.push(() => deadLetters.close());

  // What SageMaker has shared out already is this shard's, all of it.
  const isSharedOut = copied?.sharded === true;
  const keys = isSharedOut ? { index: 0, count: 1 } : { index: rank.index, count: rank.count };
  const ledger = await openLedger({
    store: state,
    indexId: index.indexId,
    sinkUri: sink.uri,
    sourceId: source.id,
    run,
    shard: keys,
    writer: { index: rank.index, count: rank.count },
    shardOf,
    before: () => deadLetters.flush(),
    onCommit: (entry) => {
      formerLetters.committed(entry);
    },
    log,
  });
  closers.push(() => ledger.close());
  if (existing !== undefined && ledger.isEmpty) {
    log.info(`${state.uri} has no ledger of this source and index: everything is embedded`);
  }

  const lost = [lease, instance].flatMap((held) => (held === undefined ? [] : [held.lost]));
  const abandon = AbortSignal.any([context.abandon, ...lost]);
  const stop = AbortSignal.any([context.stop, ...lost]);
  // Every read and write under way listens; their number is bounded elsewhere.
  setMaxListeners(0, stop, abandon, context.stop, context.abandon);
  const cancelPool = (): void => {
    pool.cancel();
  };
  stop.addEventListener('abort', cancelPool, { once: true });
  const text = textFingerprint(embedding.recipe);
  const settlements = createSettlements({
    sink,
    ledger,
    sourceId: source.id,
    fingerprint: known.fingerprint,
    text,
    removing: options.delete,
    isUnknown: existing !== undefined && ledger.isEmpty,
    tally,
    signal: abandon,
  });
  const departed = isSharedOut ? undefined : departedOf(shardRun, { source, sink, ledger, signal: abandon });
  const replays = context.mode === 'retry' ? formerLetters.sorted() : undefined;
  closers.push(async () => replays?.close());
  const writer = createRowWriter(sink, { signal: abandon });
  const total = context.countAhead ? countAhead(source, keys, { signal: stop, log }) : () => undefined;
  const progress = createProgress(tally, pool, writer, total);
  let refusal: EmbatchError | undefined;
  await reported({ shardRun, state, rank, progress }, async () => {
    await runPipeline({
      source,
      listing,
      sink,
      pool,
      writer,
      shard: keys,
      maxDocumentBytes: options.maxDocumentBytes,
      deadLetters,
      formerLetters,
      replays,
      failures: createFailureLimit(options.maxFailures, deadLetters.uri),
      ledger,
      settlements,
      departed,
      suspects: [],
      text,
      refreshText: options.refreshText,
      tally,
      log,
      stop,
    });
    if (!stop.aborted) refusal = await departed?.remove();
  }).finally(() => {
    if (tally.objects.failed > 0 || tally.deadLetters > 0) known.deadLetters = deadLetters.uri;
  });
  for (const signal of lost) signal.throwIfAborted();
  if (stop.aborted) return;
  await finish({ sink, source, lease, shardRun, rank });
  await ledger.roll({ signal: context.abandon });
  await formerLetters.clear({ signal: context.abandon });
  // All else is done by now, and stays.
  if (refusal !== undefined) throw refusal;
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

interface Parts {
  readonly source: Source;
  readonly sink: Sink;
  readonly ledger: Ledger;
  readonly signal: AbortSignal;
}

/** undefined where this run may not tell that an object is gone, or must keep its rows. */
function departedOf({ options, context, tally, closers }: ShardRun, parts: Parts): Departed | undefined {
  if (!options.delete || options.limit !== undefined) return undefined;
  const departed = new Departed({
    ...parts,
    deleteFiltered: options.deleteFiltered,
    maxFraction: options.maxDeleteFraction,
    tally,
    log: context.log,
  });
  closers.push(() => departed.close());
  return departed;
}

interface Reported {
  readonly shardRun: ShardRun;
  readonly state: StateStore;
  readonly rank: Rank;
  readonly progress: () => Progress;
}

/** Does the work while heartbeat and progress tell of it. */
async function reported(
  { shardRun, state, rank, progress }: Reported,
  work: () => Promise<void>,
): Promise<void> {
  const { run, context } = shardRun;
  const shard = { index: rank.index, count: rank.count };
  const heartbeat = startHeartbeat(state, shard, () => ({ run, ...progress() }), { log: context.log });
  const endProgress = context.onProgress?.(progress);
  try {
    await work();
  } finally {
    endProgress?.();
    await heartbeat.stop();
  }
}

interface Finished {
  readonly sink: Sink;
  readonly source: Source;
  readonly lease: Lease | undefined;
  readonly shardRun: ShardRun;
  readonly rank: Rank;
}

async function finish({ sink, source, lease, shardRun, rank }: Finished): Promise<void> {
  const { tally, context } = shardRun;
  const { unreadable, objects } = tally;
  if (noneCouldBeRead(tally)) {
    throw new EmbatchError(
      'SOURCE',
      `none of the ${unreadable.count} objects of ${source.uri} could be read; the first: ${unreadable.firstReason}`,
    );
  }
  if (objects.listed === 0) {
    context.log.warn(`${source.uri} has no keys, or the filters leave none: there was nothing to do.`);
  }
  const lastWriter = lease === undefined ? rank.count === 1 : !(await otherWriters(lease));
  await sink.finish({ signal: context.abandon, lastWriter });
}
