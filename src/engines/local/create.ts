import { resolve } from 'node:path';
import type { Options } from '../../core/options.js';
import { parseS3Uri } from '../../core/s3.js';
import type { Logger } from '../../core/interfaces.js';
import { LocalEngine } from './engine.js';

export interface LocalContext {
  readonly log: Logger;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** CPUs that this machine grants. */
  readonly cpus: number;
}

/** Processes of the program that this one is. */
export function createLocalEngine(
  { logs, state, retries }: Options,
  { log, environment, cpus }: LocalContext,
): LocalEngine {
  const isFolder = state !== undefined && parseS3Uri(state) === undefined;
  return new LocalEngine({
    command: [process.execPath, ...process.execArgv, process.argv[1] ?? ''],
    logs: resolve(logs ?? (isFolder ? `${state}/logs` : '.embatch/logs')),
    retries,
    workersOf: (shards) => Math.max(1, Math.floor(cpus / shards)),
    environment,
    log,
  });
}
