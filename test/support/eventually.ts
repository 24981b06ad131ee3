import { setTimeout as pause } from 'node:timers/promises';

const POLL_MS = 5;
const GIVE_UP_MS = 60_000;

/** Resolves once `condition` holds; rejects, saying what was waited for, when it does not within a minute. */
export async function eventually(
  description: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + GIVE_UP_MS;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for: ${description}`);
    await pause(POLL_MS);
  }
}
