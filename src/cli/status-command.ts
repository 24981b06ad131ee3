import { setTimeout as delay } from 'node:timers/promises';
import { createLogUpdate } from 'log-update';
import { stateUriOf } from '../job/fleet/finalize.js';
import { fleetStatus, type FleetStatus } from '../job/fleet/status.js';
import { openState } from '../ledger/open-state.js';
import { openSession } from './session.js';
import { statusText } from './status-output.js';

const REDRAW_MS = 3000;

/** `embatch status`: gives the exit code, which says how the fleet stands. */
export async function statusCommand(flags: Record<string, unknown>): Promise<number> {
  const { options } = await openSession('status', flags);
  const store = await openState(stateUriOf(options));
  const stopped = new AbortController();
  const stop = (): void => {
    stopped.abort();
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    let status = await fleetStatus(store);
    const terminal = options.watch && process.stdout.isTTY ? createLogUpdate(process.stdout) : undefined;
    while (options.watch && !hasEnded(status) && !stopped.signal.aborted) {
      if (!options.json) show(status, terminal);
      // Ended early by a signal, which is how people leave.
      await delay(REDRAW_MS, undefined, { signal: stopped.signal }).catch(() => undefined);
      status = await fleetStatus(store);
    }
    if (options.json) process.stdout.write(`${JSON.stringify(status)}\n`);
    else show(status, terminal);
    terminal?.done();
    return status.exitCode;
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    await store.close();
  }
}

/** A shard that is dead or was not started may yet be started by its engine: only the end of all is an end. */
function hasEnded({ phases, count }: FleetStatus): boolean {
  return phases.done + phases['dead letters'] + phases.failed + phases.stopped === count;
}

function show(status: FleetStatus, terminal: ((text: string) => void) | undefined): void {
  const text = statusText(status);
  if (terminal === undefined) process.stdout.write(text);
  else terminal(text);
}
