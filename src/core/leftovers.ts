import { readFile, readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isTemporaryName } from './durable-file.js';
import { describeError, systemErrorCode } from './errors.js';
import type { Logger } from './interfaces.js';

/** Each takes seconds to make and to put in place: after so long its writer has died. */
export const DEAD_AFTER_MS = 24 * 60 * 60 * 1000;
/** By how much the clocks of machines and of file servers may differ. */
const CLOCK_SKEW_MS = 60_000;

export interface Leftovers {
  /** The folder of an index. */
  readonly location: string;
  /** Whether a name in it is of something that a writer makes before it puts it in place. */
  readonly isUnfinished: (name: string) => boolean;
  /** Where the index's leases lie, and maybe its state (docs/state.md). */
  readonly leaseFolder: string;
  readonly log: Logger;
}

/**
 * Deletes what killed writers left: what they were making in an index's folder, and files that were being written below
 * its leases' folder. What is younger than {@link DEAD_AFTER_MS} stays, and so does all that was touched since the oldest
 * lease in force was taken, as it may be the holder's. Never rejects: what cannot be deleted costs only space.
 */
export async function sweepLeftovers({ location, isUnfinished, leaseFolder, log }: Leftovers): Promise<void> {
  try {
    const found = [
      ...(await namesIn(location)).filter(isUnfinished).map((name) => join(location, name)),
      ...(await filesBelow(leaseFolder)).filter((path) => isTemporaryName(basename(path))),
    ];
    if (found.length === 0) return;
    const limit = Math.min(Date.now() - DEAD_AFTER_MS, (await oldestHold(leaseFolder)) - CLOCK_SKEW_MS);
    for (const path of found) {
      const touched = await lastTouched(path);
      if (touched === undefined || touched >= limit) continue;
      await rm(path, { recursive: true, force: true });
      log.debug(`deleted ${path}, which a killed run had left`);
    }
  } catch (error) {
    log.warn(`${location}: what killed runs left could not be deleted: ${describeError(error)}`);
  }
}

/** When the oldest of the leases in force was taken, in ms since 1970; Infinity where there is none. */
async function oldestHold(leaseFolder: string): Promise<number> {
  const leases = await filesBelow(join(leaseFolder, 'leases'));
  return Math.min(...(await Promise.all(leases.filter((path) => path.endsWith('.json')).map(heldSince))));
}

/** Infinity where the lease holds nobody back: torn, given back meanwhile, or expired as long ago as what is dead. */
async function heldSince(path: string): Promise<number> {
  try {
    const lease = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown> | null;
    const isInForce = Date.parse(String(lease?.['expires'])) > Date.now() - DEAD_AFTER_MS;
    const since = Date.parse(String(lease?.['since']));
    // Without its beginning, it may be older than anything.
    return isInForce ? (Number.isNaN(since) ? -Infinity : since) : Infinity;
  } catch (error) {
    if (error instanceof SyntaxError || systemErrorCode(error) === 'ENOENT') return Infinity;
    throw error;
  }
}

/** undefined where another shard was faster. */
async function lastTouched(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  return (await namesIn(folder, { recursive: true })).map((name) => join(folder, name));
}

/** None where the folder is not there. */
async function namesIn(folder: string, options: { readonly recursive?: boolean } = {}): Promise<string[]> {
  try {
    return await readdir(folder, options);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
