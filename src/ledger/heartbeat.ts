import { hostname } from 'node:os';
import { describeError } from '../core/errors.js';
import type { Abortable, Logger, StateStore } from '../core/interfaces.js';
import { isAlive } from '../core/is-alive.js';
import { shardName, type ShardRef } from './names.js';

const INTERVAL_MS = 10_000;
/** Who was not heard of for so long is dead. */
const MAX_SILENCE_MS = 3 * INTERVAL_MS;

export interface Heartbeat {
  /** Writes a last time and ends. Idempotent; never throws. */
  stop(options?: Abortable): Promise<void>;
}

export interface HeartbeatOptions {
  readonly log: Logger;
  readonly intervalMs?: number;
}

function heartbeatName(shard: ShardRef): string {
  return `shards/${shardName(shard)}/heartbeat.json`;
}

/**
 * Whether another run of this shard is at work, as far as its heartbeat tells: on this machine its process must be alive,
 * on another it must have been heard of lately. To be asked before the own heartbeat starts. Error: STATE.
 */
export async function isAnotherAtWork(store: StateStore, shard: ShardRef): Promise<boolean> {
  const beat = parseBeat(await store.get(heartbeatName(shard)));
  if (beat === undefined || (beat.host === hostname() && beat.pid === process.pid)) return false;
  return isBeating(beat);
}

export interface Beat {
  /** ISO 8601, UTC, by the clock of the machine that wrote it. */
  readonly time: string;
  readonly host: unknown;
  readonly pid: number;
}

/** Whether the process that wrote this is at work, see {@link isAnotherAtWork}. */
export function isBeating({ time, host, pid }: Beat, now = Date.now()): boolean {
  const isRecent = now - Date.parse(time) < MAX_SILENCE_MS;
  return isRecent && (host !== hostname() || isAlive(pid));
}

function parseBeat(bytes: Uint8Array | undefined): Beat | undefined {
  try {
    const { time, host, pid } = JSON.parse(Buffer.from(bytes ?? []).toString()) as Record<string, unknown>;
    return typeof time === 'string' && typeof pid === 'number' ? { time, host, pid } : undefined;
  } catch {
    // Nothing there yet, or damaged: then nobody was heard of.
    return undefined;
  }
}

/**
 * Writes what `snapshot` gives, with time, host and process, at once and then every {@link INTERVAL_MS}: who
 * finds it old knows that the shard is dead. A failure is warned of; the run goes on.
 */
export function startHeartbeat(
  store: StateStore,
  shard: ShardRef,
  snapshot: () => object,
  { log, intervalMs = INTERVAL_MS }: HeartbeatOptions,
): Heartbeat {
  const ending = new AbortController();
  let failing = false;
  let timer: NodeJS.Timeout | undefined;
  let beating: Promise<void>;
  let stopped: Promise<void> | undefined;

  const beat = async (signal: AbortSignal | undefined): Promise<void> => {
    const beatOf = { time: new Date().toISOString(), host: hostname(), pid: process.pid };
    try {
      await store.put(heartbeatName(shard), JSON.stringify({ ...beatOf, ...snapshot() }), { signal });
      failing = false;
    } catch (error) {
      if (!failing && !ending.signal.aborted)
        log.warn(`The heartbeat was not written: ${describeError(error)}`);
      failing = true;
    }
  };
  const next = (): void => {
    beating = beat(ending.signal).finally(() => {
      if (!ending.signal.aborted) timer = setTimeout(next, intervalMs).unref();
    });
  };
  next();

  const stop = async (signal: AbortSignal | undefined): Promise<void> => {
    ending.abort();
    clearTimeout(timer);
    await beating;
    await beat(signal);
  };
  return { stop: ({ signal } = {}) => (stopped ??= stop(signal)) };
}
