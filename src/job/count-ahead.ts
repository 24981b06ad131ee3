import { describeError } from '../core/errors.js';
import type { Abortable, Logger, Source } from '../core/interfaces.js';
import { shardOf } from '../shard/shard-of-key.js';

/** Keys beyond which nobody waits for a bar: listing them twice would cost more than it tells. */
const MAX_KEYS = 100_000;

/**
 * Lists the source a second time, ahead of the work, so that a progress bar knows its end. Gives the number of
 * this shard's objects once it is known; undefined until then, and for sources that are too large.
 */
export function countAhead(
  source: Source,
  shard: { readonly index: number; readonly count: number },
  options: Abortable & { readonly log: Logger },
): () => number | undefined {
  let total: number | undefined;
  const count = async (): Promise<void> => {
    let listed = 0;
    let mine = 0;
    for await (const { key } of source.list(options)) {
      if (++listed > MAX_KEYS) return;
      if (shard.count === 1 || shardOf(key, shard.count) === shard.index) mine += 1;
    }
    total = mine;
  };
  count().catch((error: unknown) => {
    // The listing of the work itself reports what is wrong.
    options.log.debug('could not count ahead', { error: describeError(error) });
  });
  return () => total;
}
