import type { Logger } from '../../core/interfaces.js';
import { formatBytes, formatDuration } from '../../core/units.js';

/** A line now and then for what takes long; none for what is soon over. */
const LINE_EVERY_MS = 5_000;

export interface ByteProgress {
  /** Fewer than none where a file begins anew. */
  readonly add: (bytes: number) => void;
}

/** Says how far a download is, whenever bytes arrive. */
export function createByteProgress(
  name: string,
  total: number,
  log: Logger,
  now: () => number = () => performance.now(),
): ByteProgress {
  const started = now();
  let lastLine = started;
  let done = 0;
  return {
    add(bytes) {
      done += bytes;
      const time = now();
      if (time - lastLine < LINE_EVERY_MS || done <= 0) return;
      lastLine = time;
      const remainingMs = ((time - started) * (total - done)) / done;
      log.info(
        `${name}: ${formatBytes(done)} of ${formatBytes(total)} (${Math.floor((100 * done) / total)} %), ` +
          `about ${formatDuration(remainingMs)} left.`,
      );
    },
  };
}
