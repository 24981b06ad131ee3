import type { EmbeddingPool } from './engine.js';
import type { RowWriter } from './row-writer.js';
import type { Tally } from './tally.js';

/** How far a shard is, at this moment. */
export interface Progress {
  readonly seconds: number;
  readonly listed: number;
  readonly mine: number;
  /** Objects and ranges of this shard in all, once that is known. */
  readonly total: number | undefined;
  /** Objects whose fate is known. */
  readonly settled: number;
  readonly failed: number;
  readonly bytesRead: number;
  /** Tokens embedded, counted batch by batch. */
  readonly tokens: number;
  readonly written: number;
  /** What holds the rest back: the source has nothing to embed, the model is busy, the sink does not take more. */
  readonly waitingOn: 'source' | 'model' | 'sink';
}

export function createProgress(
  tally: Tally,
  pool: EmbeddingPool,
  writer: RowWriter,
  total: () => number | undefined,
): () => Progress {
  const started = performance.now();
  return () => {
    const { objects, ranges, vectors, bytesRead } = tally;
    return {
      seconds: (performance.now() - started) / 1000,
      listed: objects.listed,
      mine: objects.mine + ranges.mine,
      total: total(),
      settled: settled(objects) + settled(ranges),
      failed: objects.failed + ranges.failed,
      bytesRead,
      tokens: Number(Atomics.load(pool.control.tokens, 0)),
      written: vectors.written,
      waitingOn: writer.blocked ? 'sink' : pool.pending < pool.workers ? 'source' : 'model',
    };
  };
}

const settled = ({ unchanged, embedded, skipped, failed }: Tally['ranges']): number =>
  unchanged + embedded + skipped + failed;
