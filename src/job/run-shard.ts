import { setMaxListeners } from 'node:events';
import { describeError, EmbatchError } from '../core/errors.js';
import type { Sink, Source } from '../core/interfaces.js';
import { textFingerprint } from '../core/recipe.js';
import { isAnotherAtWork, startHeartbeat } from '../ledger/heartbeat.js';
import { otherWriters } from '../ledger/lease.js';
import type { Ledger } from '../ledger/objects/ledger.js';
import { countAhead } from './count-ahead.js';
import { Departed } from './departed.js';
import { createFailureLimit } from './failure-limit.js';
import { openAccounts } from './open-accounts.js';
import { openShard, type OpenShard, type ShardRun } from './open-shard.js';
import { runPipeline } from './pipeline.js';
import { createProgress, type Progress } from './progress.js';
import { recoverLedger } from './recover-ledger.js';
import { createRowWriter } from './row-writer.js';
import { createSettlements } from './settle-objects.js';
import { rangeBytesOf } from './share.js';
import { SplitObjects } from './split-objects.js';
import { hasFailures, noneCouldBeRead } from './tally.js';

/** One shard, from the options to the end. What is found out on the way goes into `tally` and `known`. */
export async function runShard(shardRun: ShardRun): Promise<void> {
  const { options, context, tally, known, closers } = shardRun;
  const { log } = context;
  const shard = await openShard(shardRun);
  const { source, sink, pool, keys, lost } = shard;
  const { ledger, deadLetters, formerLetters } = await openAccounts(shardRun, shard);
  if (context.mode === 'retry' && ledger.isEmpty) {
    throw new EmbatchError(
      'USAGE',
      `${shard.state.uri} has no ledger of this source and index, so what failed is not known: give the --state of the run, ` +
        'or use `embatch run`.',
    );
  }
  const anotherAtWork = await isAnotherAtWork(shard.state, shard.rank);
  const abandon = AbortSignal.any([context.abandon, ...lost]);
  const stop = AbortSignal.any([context.stop, ...lost]);
  // Every read and write under way listens; their number is bounded elsewhere.
  setMaxListeners(0, stop, abandon, context.stop, context.abandon);
  const cancelPool = (): void => {
    pool.cancel();
  };
  stop.addEventListener('abort', cancelPool, { once: true });
  // At once, while there is time: what is not acknowledged in the end was given up, and is no crash.
  const release = (): void =>
    void ledger.release().catch((error: unknown) => log.debug(describeError(error)));
  context.stop.addEventListener('abort', release, { once: true });
  const text = textFingerprint(shard.embedding.recipe);
  const departed = shard.isSharedOut
    ? undefined
    : departedOf(shardRun, { source, sink, ledger, signal: abandon });
  const settlements = createSettlements({
    sink,
    ledger,
    sourceId: source.id,
    fingerprint: shard.fingerprint,
    text,
    removing: options.delete,
    departed,
    stop,
    tally,
    signal: abandon,
  });
  const [space = ''] = shard.fingerprint.split('-');
  const splits = new SplitObjects({
    ...{ sink, ledger, space, text, log, sourceId: source.id, removing: options.delete },
    signal: abandon,
  });
  const rangeBytes = rangeBytesOf(source, options.splitBytes);
  const replays = context.mode === 'retry' ? formerLetters.sorted() : undefined;
  closers.push(async () => replays?.close());
  const writer = createRowWriter(sink, { signal: abandon });
  const over = new AbortController();
  closers.push(() => {
    over.abort();
    return Promise.resolve();
  });
  const counting = { atOnce: context.countAhead, signal: AbortSignal.any([stop, over.signal]), log };
  const total = countAhead(source, { shard: keys, rangeBytes }, counting);
  const progress = createProgress(tally, pool, writer, total);
  let refusal: EmbatchError | undefined;
  await reported(shardRun, shard, progress, async () => {
    if (context.mode === 'run') {
      if (!shard.isOldIndex) await ledger.adopt([]);
      else if (!ledger.isComplete || ledger.isDamaged) {
        await recoverLedger(shardRun, shard, { ledger, signal: stop });
      }
    }
    await runPipeline({
      source,
      listing: shard.listing,
      sink,
      pool,
      writer,
      shard: keys,
      rangeBytes,
      maxDocumentBytes: options.maxDocumentBytes,
      deadLetters,
      formerLetters,
      replays,
      failures: createFailureLimit(options.maxFailures, deadLetters.uri),
      ledger,
      settlements,
      splits,
      departed,
      suspects: [],
      isAnotherAtWork: anotherAtWork,
      text,
      refreshText: options.refreshText,
      tally,
      log,
      stop,
    });
    if (!stop.aborted) refusal = await departed?.remove();
    for (const signal of lost) signal.throwIfAborted();
    if (stop.aborted) return;
    await finish(shardRun, shard);
    await ledger.roll({ signal: context.abandon });
    await formerLetters.clear({ signal: context.abandon });
  }).finally(() => {
    if (hasFailures(tally) || tally.deadLetters > 0) known.deadLetters = deadLetters.uri;
  });
  // All else is done by now, and stays.
  if (refusal !== undefined) throw refusal;
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

/** Does the work while heartbeat and progress tell of it. */
async function reported(
  { run, context }: ShardRun,
  { state, rank }: OpenShard,
  progress: () => Progress,
  work: () => Promise<void>,
): Promise<void> {
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

async function finish({ tally, context }: ShardRun, { sink, source, lease, rank }: OpenShard): Promise<void> {
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
