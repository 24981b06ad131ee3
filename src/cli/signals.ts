import { writeSync } from 'node:fs';
import { describeError } from '../core/errors.js';
import type { Logger } from '../core/interfaces.js';

/** From the first signal to the moment at which what is not acknowledged is given up. Ray kills after 3 s. */
const DRAIN_MS = 2500;
/** What is left for writing state and summary, before the process ends itself. */
const LAST_WORDS_MS = 400;

export interface StopSignals {
  /** Fires at the first SIGINT or SIGTERM, with the signal's name as its reason. */
  readonly stop: AbortSignal;
  /** Fires when the time to drain is over, or at the second signal. */
  readonly abandon: AbortSignal;
  /** What escaped all handling, if anything did: a bug, after which nothing is sure. */
  readonly bug: () => unknown;
  /** Takes the handlers away; call it when the work is done. */
  dispose(): void;
}

/** What was acknowledged is in the ledger, as far as there was time to store it. */
function endAtOnce(lastWords: () => void): void {
  // Nothing asynchronous comes through any more.
  lastWords();
  writeSync(2, 'embatch: the time is over, ending at once with exit code 137. Run the same command again.\n');
  process.kill(process.pid, 'SIGKILL');
}

/**
 * Two stages instead of sudden death. Should a model call still run at the end, the process kills itself:
 * leaving in any other way would abort in native code (docs/decisions/worker-lifetime.md). `lastWords`, synchronous,
 * is called before that.
 */
export function handleStopSignals(log: Logger, lastWords: () => void = () => undefined): StopSignals {
  const stop = new AbortController();
  const abandon = new AbortController();
  const timers: NodeJS.Timeout[] = [];

  const giveUp = (): void => {
    abandon.abort(new Error('stopped before this was acknowledged'));
    timers.push(setTimeout(endAtOnce, LAST_WORDS_MS, lastWords));
  };
  const drain = (reason: string): void => {
    if (stop.signal.aborted) return;
    timers.push(setTimeout(giveUp, DRAIN_MS));
    stop.abort(reason);
  };
  const onSignal = (name: NodeJS.Signals): void => {
    if (stop.signal.aborted) {
      giveUp();
      return;
    }
    log.info(`${name}: finishing what is under way, at most ${DRAIN_MS / 1000} s; once more ends at once`);
    drain(name);
  };
  let bug: unknown;
  // To die of it at once would abort in native code while a model call runs, and lose what is acknowledged.
  const onBug = (error: unknown): void => {
    bug ??= error;
    log.error(`this is a bug: ${describeError(error)}`, { stack: error instanceof Error ? error.stack : '' });
    drain('BUG');
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  process.on('uncaughtException', onBug);
  process.on('unhandledRejection', onBug);
  return {
    stop: stop.signal,
    abandon: abandon.signal,
    bug: () => bug,
    dispose() {
      timers.forEach(clearTimeout);
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
      process.off('uncaughtException', onBug);
      process.off('unhandledRejection', onBug);
    },
  };
}
