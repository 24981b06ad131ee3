import { sleep } from '../../core/streams.js';

/** Time and chance, so that tests can play minutes of an outage in no time. */
export interface Clock {
  /** ms that never go back. */
  now(): number;
  /** Rejects with the signal's reason. */
  sleep(ms: number, signal: AbortSignal | undefined): Promise<void>;
  /** 0 inclusive to 1 exclusive. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep,
  random: Math.random,
};
