import { setTimeout as after } from 'node:timers';
import { CancelledError } from '../../embed/pool.js';
import type { BundlePart } from '../bundle.js';
import { resetTokens, type EmbeddingPool } from '../engine.js';
import { BUNDLE_BYTES } from '../read-objects.js';

/** It is measured for no longer than this, */
const MEASURE_MS = 5_000;
/** and no further than this, per worker. */
const MEASURE_TOKENS = 20_000;
const BUNDLES_PER_WORKER = 2;

/** What this machine embeds. */
export interface Rate {
  readonly tokensPerSecond: number;
  readonly workers: number;
  /** How much was embedded to know that. */
  readonly tokens: number;
  readonly seconds: number;
}

/**
 * Embeds some of the sample with all workers, bundled as a run does it, again and again for a few seconds. The pool is of no
 * use afterwards: what is under way in the end is cancelled. undefined where there is nothing to embed. Error: MODEL.
 */
export async function measureRate(
  parts: readonly BundlePart[],
  pool: EmbeddingPool,
  signal: AbortSignal,
): Promise<Rate | undefined> {
  const bundles = bundled(parts);
  if (bundles.length === 0) return undefined;
  resetTokens(pool);
  const started = performance.now();
  const tokens = (): number => Number(Atomics.load(pool.control.tokens, 0));
  const enough = new AbortController();
  let embedded = 0;
  let seconds = 0;
  const end = (): void => {
    if (enough.signal.aborted) return;
    embedded = tokens();
    seconds = (performance.now() - started) / 1000;
    enough.abort();
    pool.cancel();
  };
  const timer = after(end, MEASURE_MS);
  signal.addEventListener('abort', end, { once: true });
  let next = 0;
  const work = async (): Promise<void> => {
    while (!enough.signal.aborted) {
      const bundle = bundles[next++ % bundles.length] ?? [];
      await pool.run({ kind: 'bundle', parts: bundle });
      if (tokens() >= MEASURE_TOKENS * pool.workers || tokens() === 0) end();
    }
  };
  try {
    const running = Array.from({ length: pool.workers * BUNDLES_PER_WORKER }, work);
    for (const result of await Promise.allSettled(running)) {
      if (result.status === 'rejected' && !(result.reason instanceof CancelledError)) throw result.reason;
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
  signal.throwIfAborted();
  if (embedded === 0) return undefined;
  return {
    tokensPerSecond: Math.round(embedded / seconds),
    workers: pool.workers,
    tokens: embedded,
    seconds,
  };
}

function bundled(parts: readonly BundlePart[]): BundlePart[][] {
  const bundles: BundlePart[][] = [];
  let bytes = Infinity;
  for (const part of parts) {
    if (bytes + part.part.bytes.length > BUNDLE_BYTES) {
      bundles.push([]);
      bytes = 0;
    }
    bundles.at(-1)?.push(part);
    bytes += part.part.bytes.length;
  }
  return bundles;
}
