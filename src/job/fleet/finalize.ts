import { EmbatchError } from '../../core/errors.js';
import type { Logger } from '../../core/interfaces.js';
import type { Options } from '../../core/options.js';
import { defaultStateUri } from '../../ledger/default-state.js';
import { openState } from '../../ledger/open-state.js';
import { createSink } from '../registry.js';
import { newRunId } from '../run-id.js';
import { takeLease } from '../take-lease.js';
import { fleetStatus, type FleetStatus } from './status.js';

export interface FinalizeContext {
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Where the state of a job lies, for commands that take `--state` or the job's source and sink. */
export function stateUriOf(options: Options): string {
  return options.state ?? defaultStateUri(options.source ?? '', options.sink);
}

/**
 * What is left to do when the last shard has ended: merges what the shards have written beside each other. Refuses while
 * a shard is at work, failed or lacking: what it would close is not whole. Idempotent. Errors: USAGE, SINK, STATE, LEASE.
 */
export async function finalizeJob(options: Options, { log, signal }: FinalizeContext): Promise<FleetStatus> {
  const state = await openState(stateUriOf(options));
  const closers: (() => Promise<void>)[] = [() => state.close()];
  try {
    const status = await fleetStatus(state, { signal });
    if (status.status !== 'complete' && status.status !== 'partial') throw notEnded(status);
    const run = newRunId();
    const rank = { index: 0, count: 1, from: 'default' };
    const sink = await createSink(options.sink, options, { log, run, shard: rank });
    closers.push(() => sink.close());
    const index = await sink.inspect({ signal });
    if (index === undefined) {
      throw new EmbatchError('USAGE', `there is no index at ${sink.uri}: give the --sink of the run.`);
    }
    await takeLease(sink, { run, rank, log, signal, closers });
    await sink.prepare(index, { signal });
    await sink.finish({ signal, lastWriter: true });
    return status;
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

function notEnded({ state, phases, count, status }: FleetStatus): EmbatchError {
  const ended = phases.done + phases['dead letters'];
  const next =
    status === 'running'
      ? 'Wait for them'
      : `\`embatch status --state ${state}\` shows what is the matter; submit or run them again`;
  return new EmbatchError(
    'USAGE',
    `${ended} of ${count} shards have ended well, so the index is not whole and was left as it is. ${next}.`,
  );
}
