import { EmbatchError } from '../../core/errors.js';
import type { EngineRequest, Fleet, FleetRef } from '../engine.js';
import type { RayConfig } from './config.js';

/** Each job costs the cluster a supervisor process, a log and a line in its list. */
export const MAX_SHARDS = 100;

/** Ray kills 3 seconds after SIGTERM by default, which is what a drain may take. */
const STOP_WAIT_SECONDS = 10;

/** Of `POST /api/jobs/`. Only fields that are used: heads refuse those they do not know. */
export interface JobRequest extends Readonly<Record<string, unknown>> {
  readonly submission_id: string;
}

export const SUBMIT_PATH = '/api/jobs/';

/** One job a shard; a job of Ray has one entrypoint. */
export function jobIds({ name, shards }: Pick<FleetRef, 'name' | 'shards'>): string[] {
  return Array.from({ length: shards }, (_, index) => `${name}-s${index}`);
}

/** Error: USAGE. */
export function jobRequests(fleet: Fleet, config: RayConfig): JobRequest[] {
  if (fleet.shards > MAX_SHARDS) {
    throw new EmbatchError(
      'USAGE',
      `--shards ${fleet.shards}: at most ${MAX_SHARDS} on Ray, where each is a job of its own. Give each shard more CPUs instead.`,
    );
  }
  for (const [name, value] of Object.entries(fleet.environment)) {
    const why = refusesValue(value);
    if (why !== undefined) {
      throw new EmbatchError(
        'USAGE',
        `${name} cannot be passed on to Ray: its value is ${why}. Put the option into a job file (--config) that the shards can read.`,
      );
    }
  }
  return jobIds(fleet).map((id, index) => ({
    submission_id: id,
    // `exec`, so that signals reach embatch and not a shell.
    entrypoint: ['exec', config.entrypoint, ...fleet.arguments.map(quoteForShell)].join(' '),
    entrypoint_num_cpus: config.cpus,
    ...(config.memoryBytes === undefined ? {} : { entrypoint_memory: config.memoryBytes }),
    metadata: {
      started_by: 'embatch submit',
      fleet: fleet.name,
      shard: `${index} of ${fleet.shards}`,
      ...fleet.labels,
    },
    runtime_env: {
      env_vars: {
        // Ray does not hold a process to what it asked for: left alone, each shard takes all CPUs of its node.
        EMBATCH_WORKERS: String(Math.max(1, Math.floor(config.cpus))),
        ...fleet.environment,
        EMBATCH_SHARD: String(index),
        RAY_JOB_STOP_WAIT_TIME_S: String(STOP_WAIT_SECONDS),
      },
    },
  }));
}

export function printedRequests(fleet: Fleet, config: RayConfig): EngineRequest[] {
  const call = `POST ${config.address}${SUBMIT_PATH}`;
  return jobRequests(fleet, config).map((body) => ({ call, body }));
}

/** Ray expands variables in the values of variables, and knows no way to write a `$`. */
export function refusesValue(value: string): string | undefined {
  if (value.includes('$')) return 'not safe on Ray, which expands a $ as a shell does';
  return value.includes('\0') ? 'not possible on Ray: it has a NUL character in it' : undefined;
}

function quoteForShell(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
