import { setTimeout as delay } from 'node:timers/promises';
import { describeError, isEmbatchError } from '../../core/errors.js';
import { exitCodes } from '../../core/exit-codes.js';
import type { Logger } from '../../core/interfaces.js';
import type { Engine, FleetState } from '../../engines/engine.js';
import { openState } from '../../ledger/open-state.js';
import { fleetStatus, type FleetStatus } from './status.js';
import type { Submission } from './submissions.js';

/** What is known of a fleet, by its engine and by its own word. */
export interface FleetView {
  readonly engine: FleetState | undefined;
  readonly status: FleetStatus | undefined;
}

export interface FollowOptions {
  readonly intervalMs: number;
  readonly onView: (view: FleetView) => void;
  readonly log: Logger;
  /** Ends the following, not the fleet. */
  readonly signal: AbortSignal;
}

/** How often in a row engine or state may fail to answer: a fleet of days must outlast a short outage. */
const MAX_SILENCES = 60;
/** How often in a row the engine may not know a fleet that it has taken, before that counts as its end. */
const MAX_UNKNOWN = 5;

/** Looks at a fleet again and again until its engine says that it has ended. Errors: ENGINE, STATE, USAGE. */
export async function followFleet(
  engine: Engine,
  submission: Submission,
  stateUri: string,
  { intervalMs, onView, log, signal }: FollowOptions,
): Promise<FleetView> {
  const store = await openState(stateUri);
  let silences = 0;
  let unknown = 0;
  try {
    for (;;) {
      try {
        const state = await engine.state(submission, { signal });
        const status = await statusOrNothing();
        silences = 0;
        unknown = state === undefined ? unknown + 1 : 0;
        const view = { engine: state, status };
        onView(view);
        const isEnded = state !== undefined && state.phase !== 'waiting' && state.phase !== 'running';
        if (isEnded || (unknown >= MAX_UNKNOWN && status?.phases.running === 0)) return view;
      } catch (error) {
        signal.throwIfAborted();
        const mayPass = isEmbatchError(error, 'ENGINE') || isEmbatchError(error, 'STATE');
        if (!mayPass || (silences += 1) > MAX_SILENCES) throw error;
        log.warn(`the fleet could not be looked at: ${describeError(error)}`);
      }
      await delay(intervalMs, undefined, { signal });
    }
  } finally {
    await store.close();
  }

  /** Before the first shard has begun there is nothing to read. */
  async function statusOrNothing(): Promise<FleetStatus | undefined> {
    try {
      return await fleetStatus(store, { signal, submission });
    } catch (error) {
      if (isEmbatchError(error, 'USAGE')) return undefined;
      throw error;
    }
  }
}

/** The exit code of a fleet that has ended: what its shards say comes before what the engine makes of it. */
export function exitCodeOfFleet({ engine, status }: FleetView): number {
  const hasFailed = engine?.phase === 'failed';
  if (!hasFailed && (status?.status === 'complete' || status?.status === 'partial')) return status.exitCode;
  const codes = [
    ...(status?.shards ?? []).flatMap(({ phase, exitCode }) => (phase === 'failed' ? [exitCode] : [])),
    ...(engine?.shards ?? []).flatMap(({ phase, exitCode }) => (phase === 'failed' ? [exitCode] : [])),
  ];
  return codes.find((code) => code !== undefined && isOurs(code)) ?? exitCodes.shardLost;
}

/** What the program itself says; 137 or 139 say only that a shard is lost. */
const isOurs = (code: number): boolean =>
  code !== exitCodes.ok && (Object.values(exitCodes) as readonly number[]).includes(code);
