import { setMaxListeners } from 'node:events';
import { describeError, EmbatchError } from '../core/errors.js';
import type { IndexInfo, Logger, Sink, Source, StateStore } from '../core/interfaces.js';
import type { Options } from '../core/options.js';
import { fingerprint, newIndexInfo, textFingerprint } from '../core/recipe.js';
import { withFirst } from '../core/streams.js';
import { createDeadLetters } from '../ledger/dead-letters.js';
import { defaultStateUri } from '../ledger/default-state.js';
import { startHeartbeat } from '../ledger/heartbeat.js';
import type { Model } from '../embed/model/model.js';
import { otherWriters, type Lease } from '../ledger/lease.js';
import { openLedger } from '../ledger/objects/ledger.js';
import { openState } from '../ledger/open-state.js';
import { writeStart, writeSummary } from '../ledger/summary.js';
import { detectRank, readTextFile, type Rank } from '../shard/rank.js';
import { shardOf } from '../shard/shard-of-key.js';
import { copiedInput } from '../shard/sagemaker.js';
import { openSource } from '../source/open-source.js';
import { countAhead } from './count-ahead.js';
import { resolveEmbedding, resolveModel, type Embedding } from './embedding.js';
import { checkOwnReference } from './check-model.js';
import { resetTokens, startPool, warmUp } from './engine.js';
import { runPipeline } from './pipeline.js';
import { createProgress, type Progress } from './progress.js';
import { createSink } from './registry.js';
import { createRowWriter } from './row-writer.js';
import { newRunId } from './run-id.js';
import { takeLease } from './take-lease.js';
import { summarise, type Known, type RunSummary } from './summary.js';
import { newTally, type Tally } from './tally.js';

export interface RunContext {
  readonly log: Logger;
  /** Fires for SIGINT or SIGTERM: end the listing, finish what is under way, write it. */
  readonly stop: AbortSignal;
  /** Fires when the time for that is over: give up what is not acknowledged. */
  readonly abandon: AbortSignal;
  /** A bar is shown: it is worth listing the source twice to know the total. */
  readonly countAhead: boolean;
  /** Called once work begins; the returned function when it ends. */
  readonly onProgress?: (progress: () => Progress) => () => void;
}

/** Runs one shard to its end. Does not throw: every way to end is a summary with its exit code. */
export async function runJob(options: Options, context: RunContext): Promise<RunSummary> {
  const started = performance.now();
  const run = newRunId();
  const tally = newTally();
  const known: Known = {
    rank: { index: 0, count: 1, from: 'default' },
    fingerprint: null,
    sink: options.sink,
    state: undefined,
    deadLetters: null,
  };
  const closers: (() => Promise<void>)[] = [];
  let failure: unknown;
  try {
    await runShard({ run, options, context, tally, known, closers });
  } catch (error) {
    failure = error;
    context.log.debug('the run failed', { stack: error instanceof Error ? error.stack : String(error) });
  }
  // In reverse, and all of them: one that fails must not keep the others open.
  for (const close of closers.reverse()) {
    await close().catch((error: unknown) => {
      context.log.warn(`closing: ${describeError(error)}`);
      failure ??= error;
    });
  }
  const seconds = (performance.now() - started) / 1000;
  const summary = summarise({
    run,
    source: options.source ?? '',
    tally,
    known,
    failure,
    stop: context.stop,
    seconds,
  });
  await storeSummary(summary, known, context.log);
  return summary;
}

interface ShardRun {
  readonly run: string;
  readonly options: Options;
  readonly context: RunContext;
  readonly tally: Tally;
  readonly known: Known;
  readonly closers: (() => Promise<void>)[];
}

async function runShard(shardRun: ShardRun): Promise<void> {
  const { run, options, context, tally, known, closers } = shardRun;
  const { log } = context;
  const sourceUri = requireSource(options);
  const rank = await detectRank(process.env, options);
  known.rank = rank;
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
  const sinkContext = { log, run, shard: { index: rank.index, count: rank.count } };
  const sink = await createSink(options.sink, options, sinkContext);
  closers.push(() => sink.close());
  known.sink = sink.uri;

  const existing = options.recreate ? undefined : await sink.inspect({ signal: context.stop });
  const embedding = resolveEmbedding(
    await resolveModel(options, { log, index: existing, signal: context.stop }),
    options,
  );
  announceModel(embedding.model, log);
  const pool = await startPool(embedding, { ...options, log });
  closers.push(() => pool.close());
  const copied = await copiedInput(sourceUri, readTextFile);
  const source = await openSource(sourceUri, {
    anonymous: options.anonymous,
    sourceId: options.sourceId ?? copied?.s3Uri,
    followLinks: options.followLinks,
    hidden: options.hidden,
    include: options.include,
    exclude: options.exclude,
    limit: options.limit,
    leaveOut: localFolders(options, sink),
    log,
  });
  closers.push(() => source.close());

  const stateUri = options.state ?? defaultStateUri(sourceUri, options.sink);
  const state = await openState(stateUri);
  // A source that cannot be listed is found out before an index is made for it.
  const listing = await withFirst(source.list({ signal: context.stop }));
  await warmUp(pool);
  await checkOwnReference(pool, embedding.model);
  resetTokens(pool);
  const lease = await takeLease(sink, { run, rank, log, signal: context.stop, closers });
  if (options.state === undefined && rank.count > 1 && sink.leaseUri === undefined) {
    log.warn(
      `shard ${rank.index} of ${rank.count} keeps its state in ${state.uri}, which the others may not see: ` +
        'give all shards one --state (a shared folder or s3://…) to follow the whole job.',
    );
  }
  const index = await prepareIndex(sink, embedding, options, context);
  known.fingerprint = fingerprint(embedding.recipe);
  await writeStart(
    state,
    { index: rank.index, count: rank.count },
    { run, source: source.uri, sink: sink.uri, index: { ...index, fingerprint: known.fingerprint } },
  );
  known.state = state;
  const deadLetters = createDeadLetters(state, run, { index: rank.index, count: rank.count });
  closers.push(() => deadLetters.close());

  // What SageMaker has shared out already is this shard's, all of it.
  const keys = copied?.sharded === true ? { index: 0, count: 1 } : { index: rank.index, count: rank.count };
  const ledger = await openLedger({
    store: state,
    indexId: index.indexId,
    sinkUri: sink.uri,
    sourceId: source.id,
    run,
    shard: keys,
    writer: { index: rank.index, count: rank.count },
    shardOf,
    log,
  });
  if (existing !== undefined && ledger.isEmpty) {
    log.info(`${state.uri} has no ledger of this source and index: everything is embedded`);
  }
  closers.push(async () => {
    ledger.close();
    await ledger.flush();
  });

  const abandon = lease === undefined ? context.abandon : AbortSignal.any([context.abandon, lease.lost]);
  const stop = lease === undefined ? context.stop : AbortSignal.any([context.stop, lease.lost]);
  // Every read and write under way listens; their number is bounded elsewhere.
  setMaxListeners(0, stop, abandon, context.stop, context.abandon);
  stop.addEventListener(
    'abort',
    () => {
      pool.cancel();
    },
    { once: true },
  );
  const writer = createRowWriter(sink, { signal: abandon });
  const total = context.countAhead ? countAhead(source, keys, { signal: stop, log }) : () => undefined;
  const progress = createProgress(tally, pool, writer, total);
  await reported({ shardRun, state, rank, progress }, () =>
    runPipeline({
      source,
      listing,
      sink,
      pool,
      writer,
      shard: keys,
      maxDocumentBytes: options.maxDocumentBytes,
      deadLetters,
      ledger,
      text: textFingerprint(embedding.recipe),
      refreshText: options.refreshText,
      tally,
      log,
      stop,
    }),
  );
  if (tally.deadLetters > 0) known.deadLetters = deadLetters.uri;
  lease?.lost.throwIfAborted();
  if (stop.aborted) return;
  await finish({ sink, source, lease, shardRun, rank });
  await ledger.roll({ signal: context.abandon });
}

function announceModel(model: Model, log: Logger): void {
  const length = Number.isFinite(model.maxTokens) ? `up to ${model.maxTokens} tokens` : 'texts of any length';
  log.info(
    `model ${model.id}: ${model.precision} from ${model.origins['graph'] ?? model.encoder.file}; ` +
      `${model.dimensions} dimensions, ${length}`,
  );
  for (const notice of model.notices) log.warn(notice);
}

function requireSource(options: Options): string {
  if (options.source !== undefined) return options.source;
  throw new EmbatchError(
    'USAGE',
    'there is nothing to read: name a folder or s3://bucket/prefix, such as `embatch run ./docs`.',
  );
}

/** Folders of our own that a source must not read: `embatch run .` with everything below it. */
function localFolders(options: Options, sink: Sink): string[] {
  const sinkFolder = /^(?:lancedb|jsonl):(.*)$/.exec(options.sink)?.[1];
  return [sinkFolder, sink.leaseUri, options.state].filter(
    (folder): folder is string => folder !== undefined && !/^[a-z0-9+]+:\/\//.test(folder),
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
  if (unreadable.count > 0 && unreadable.count === objects.mine - objects.skipped) {
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

async function storeSummary(summary: RunSummary, known: Known, log: Logger): Promise<void> {
  if (known.state === undefined) return;
  const shard = { index: summary.shard.index, count: summary.shard.count };
  try {
    await writeSummary(known.state, shard, summary);
    await known.state.close();
  } catch (error) {
    log.warn(`the summary could not be stored: ${describeError(error)}`);
  }
}
