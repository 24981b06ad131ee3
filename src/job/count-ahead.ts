import { setTimeout as delay } from 'node:timers/promises';
import { describeError } from '../core/errors.js';
import type { Logger, Source } from '../core/interfaces.js';
import { shareOf, type ShareOptions } from './share.js';

/** Keys beyond which nobody waits for a bar: listing them twice would cost more than it tells. */
const MAX_KEYS_AT_ONCE = 100_000;
/** What takes longer than this is worth a second listing of any length: somebody will ask when it ends. */
const LONG_RUN_MS = 60_000;

export interface CountOptions {
  /** A bar is shown: it is worth listing a source that is not too large right away. */
  readonly atOnce: boolean;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/**
 * Lists the source a second time, ahead of the work, so that a progress bar and `status` know the end. Gives the number
 * of this shard's objects and ranges once it is known; undefined until then. A run that is short is not made to pay for it.
 */
export function countAhead(
  source: Source,
  share: ShareOptions,
  { atOnce, signal, log }: CountOptions,
): () => number | undefined {
  let total: number | undefined;
  const count = async (maxKeys: number): Promise<number | undefined> => {
    let listed = 0;
    let mine = 0;
    for await (const object of source.list({ signal })) {
      if (++listed > maxKeys) return undefined;
      const { isMine, ranges, mine: own } = shareOf(object, share);
      mine += ranges === undefined ? Number(isMine) : own.length;
    }
    return mine;
  };
  const work = async (): Promise<void> => {
    if (atOnce) total = await count(MAX_KEYS_AT_ONCE);
    if (total !== undefined) return;
    await delay(LONG_RUN_MS, undefined, { signal, ref: false });
    total = await count(Infinity);
  };
  work().catch((error: unknown) => {
    // The listing of the work itself reports what is wrong.
    if (!signal.aborted) log.debug('could not count ahead', { error: describeError(error) });
  });
  return () => total;
}
