import { randomInt } from 'node:crypto';

/** What the last four digits count. */
const TICKS_PER_SECOND = 0x10000;
const TICKS_PER_MS = TICKS_PER_SECOND / 1000;

let last = 0;

/**
 * Ordered by time as text, in one process strictly: what a later run says of an object takes the place of what an
 * earlier one said. `20261121t100000z-4f1c`: the second, and the part of it in hexadecimal.
 */
export function newRunId(now: Date = new Date()): string {
  // What is finer than the clock is drawn, for processes that start in the same millisecond.
  const tick = Math.ceil(now.getTime() * TICKS_PER_MS) + randomInt(Math.floor(TICKS_PER_MS));
  last = Math.max(last + 1, tick);
  const seconds = new Date(Math.floor(last / TICKS_PER_SECOND) * 1000)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(/[-:]/g, '');
  const part = (last % TICKS_PER_SECOND).toString(16).padStart(4, '0');
  return `${seconds.toLowerCase()}-${part}`;
}
