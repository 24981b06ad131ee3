import { describeError } from '../core/errors.js';
import type { Logger } from '../core/interfaces.js';
import type { Options } from '../core/options.js';
import { writeSummary } from '../ledger/summary.js';
import type { Progress } from './progress.js';
import { newRunId } from './run-id.js';
import { runShard } from './run-shard.js';
import { summarise, type Known, type RunSummary } from './summary.js';
import { newTally } from './tally.js';

export interface RunContext {
  /** `retry`: only what failed in earlier runs. */
  readonly mode: 'run' | 'retry';
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
  await storeSummary(summary, known, context);
  return summary;
}

async function storeSummary(
  summary: RunSummary,
  known: Known,
  { mode, log }: Pick<RunContext, 'mode' | 'log'>,
): Promise<void> {
  if (known.state === undefined) return;
  const shard = { index: summary.shard.index, count: summary.shard.count };
  try {
    await writeSummary(known.state, shard, { kind: mode === 'run' ? 'summary' : 'retry', summary });
    await known.state.close();
  } catch (error) {
    log.warn(`the summary could not be stored: ${describeError(error)}`);
  }
}
