import { finalizeJob } from '../job/fleet/finalize.js';
import { openSession } from './session.js';
import { handleInterruption } from './interruption.js';

/** `embatch finalize`: gives the exit code. */
export async function finalizeCommand(flags: Record<string, unknown>): Promise<number> {
  const { options, log } = await openSession('finalize', flags);
  const interruption = handleInterruption();
  try {
    const status = await finalizeJob(options, { log, signal: interruption.signal });
    if (options.json) process.stdout.write(`${JSON.stringify(status)}\n`);
    else process.stdout.write(`${options.sink} is closed: all ${status.count} shards have ended.\n`);
    return status.exitCode;
  } finally {
    interruption.dispose();
  }
}
