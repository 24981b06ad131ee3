import { describeError } from '../../core/errors.js';
import type { Abortable, Logger } from '../../core/interfaces.js';
import type { Options } from '../../core/options.js';
import { resolveModel } from '../embedding.js';
import { createSink } from '../registry.js';
import { newRunId } from '../run-id.js';

/**
 * What `--precision auto` means for a whole fleet: machines of two kinds must not mix two graphs in one index. An index
 * that is there decides by itself; else this machine does. `auto` where the model cannot be had here.
 */
export async function pinPrecision(
  options: Options,
  { log, signal }: Abortable & { readonly log: Logger },
): Promise<Options['precision']> {
  if (options.precision !== 'auto') return options.precision;
  const sink = await createSink(options.sink, options, {
    log,
    run: newRunId(),
    shard: { index: 0, count: 1 },
  });
  try {
    const index = await sink.inspect({ signal }).catch((error: unknown) => {
      // It may be reachable from the shards only.
      log.warn(`the sink cannot be asked from here: ${describeError(error)}`);
      return undefined;
    });
    if (index !== undefined) return 'auto';
    return (await resolveModel(options, { log, signal })).precision;
  } catch (error) {
    log.warn(
      `the model cannot be looked at from here, so each shard chooses its graph by itself: ${describeError(error)} ` +
        'Name one with --precision where the machines differ.',
    );
    return 'auto';
  } finally {
    await sink.close();
  }
}
