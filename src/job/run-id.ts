import { randomBytes } from 'node:crypto';

/** Ordered by time as text, distinct for runs that start in one second: `20261121t100000z-4f1c`. */
export function newRunId(now: Date = new Date()): string {
  const seconds = now
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(/[-:]/g, '');
  return `${seconds.toLowerCase()}-${randomBytes(2).toString('hex')}`;
}
