import { constants } from 'node:os';

export interface Interruption {
  /** Fires at the first SIGINT or SIGTERM, with its name as the reason. */
  readonly signal: AbortSignal;
  dispose(): void;
}

/**
 * For commands that run no model: the first signal asks for an orderly end, however long that takes, the second one
 * ends at once.
 */
export function handleInterruption(): Interruption {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(SIGNAL_BASE + constants.signals[name]);
    controller.abort(name);
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    dispose() {
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    },
  };
}

const SIGNAL_BASE = 128;
