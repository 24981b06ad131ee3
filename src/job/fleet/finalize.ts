import { EmbatchError } from '../../core/errors.js';
import type { IndexInfo, Logger, Sink, StateStore } from '../../core/interfaces.js';
import type { Options } from '../../core/options.js';
import { parseS3Uri } from '../../core/s3.js';
import { defaultStateUri } from '../../ledger/default-state.js';
import { knownObjects } from '../../ledger/objects/known-objects.js';
import { openLedger } from '../../ledger/objects/ledger.js';
import { openState } from '../../ledger/open-state.js';
import { createSink } from '../registry.js';
import { shardOfRange } from '../../shard/record-ranges.js';
import { settleSplitObjects } from '../split-objects.js';
import { newRunId } from '../run-id.js';
import { takeLease } from '../take-lease.js';
import { fleetStatus, type FleetStatus } from './status.js';
import type { Submission } from './submissions.js';

export interface FinalizeContext {
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** This fleet, and none that was started since. */
  readonly submission?: Submission;
}

/** Where the state of a job lies, for commands that take `--state` or the job's source and sink. */
export function stateUriOf(options: Options): string {
  return options.state ?? defaultStateUri(options.source ?? '', options.sink);
}

/**
 * What is left to do when the last shard has ended: merges what the shards have written beside each other. Refuses while
 * a shard is at work, failed or lacking: what it would close is not whole. Idempotent. Errors: USAGE, SINK, STATE, LEASE.
 */
export async function finalizeJob(
  options: Options,
  { log, signal, submission }: FinalizeContext,
): Promise<FleetStatus> {
  const state = await openState(stateUriOf(options));
  const closers: (() => Promise<void>)[] = [() => state.close()];
  try {
    const status = await fleetStatus(state, { signal, ...(submission && { submission }) });
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
    await settleRanges(status, { sink, index, state, run, log, signal, closers });
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

interface Opened extends FinalizeContext {
  readonly sink: Sink;
  readonly index: IndexInfo;
  readonly state: StateStore;
  readonly run: string;
  readonly closers: (() => Promise<void>)[];
}

/** Settles large objects that the shards have done by ranges. USAGE where ranges of one are lacking: it is not whole. */
async function settleRanges(
  { source = '', sourceId = '', removes }: FleetStatus,
  { sink, index, state, run, log, signal, closers }: Opened,
): Promise<void> {
  const all = { index: 0, count: 1 };
  const ledger = await openLedger({
    ...{ store: state, indexId: index.indexId, sinkUri: sink.uri, sourceId, run, log },
    ...{ shard: all, writer: all, shardOf: shardOfRange },
  });
  closers.push(() => ledger.close());
  const [space = '', text = ''] = index.fingerprint.split('-');
  const options = { sink, ledger, sourceId, space, text, removing: removes, log, signal };
  await settleSplitObjects(options, () => true);
  const prefix = parseS3Uri(source)?.prefix ?? '';
  for await (const { key, status, ranges } of knownObjects(ledger.entriesOfAll({ signal }))) {
    if (ranges.length === 0 || status !== 'open' || !key.startsWith(prefix)) continue;
    throw new EmbatchError(
      'USAGE',
      `${key} is shared out by ranges, and not all of them are done, although all shards have ended: the index is not ` +
        'whole. Run the shards again, all with the same --shards and --split-bytes.',
    );
  }
}
