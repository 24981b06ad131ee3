import type { Abortable, Closable } from '../core/interfaces.js';

/** What runs N shards. Each has a folder here, and `embatch submit` a command of the same name. */
export const engineNames = ['local', 'sagemaker', 'kubernetes', 'aws-batch', 'ray'] as const;
export type EngineName = (typeof engineNames)[number];

/** N copies of one process. */
export interface Fleet {
  /**
   * Follows from source, sink, state and attempt, so that a repeated submit meets the job that is there. Lower-case
   * letters, digits and single dashes, begins with a letter, at most {@link MAX_FLEET_NAME} characters.
   */
  readonly name: string;
  /** At least 1. */
  readonly shards: number;
  /** What follows the program's name, the same for every shard: `run`. */
  readonly arguments: readonly string[];
  /**
   * Variables of every shard: options as `EMBATCH_…`, among them EMBATCH_SHARDS. Never EMBATCH_SHARD: the engine adds
   * it where the process could not detect it (docs/design.md §7). No secrets.
   */
  readonly environment: Readonly<Record<string, string>>;
  /** For people who find the job in the engine's console; without secrets. */
  readonly labels: { readonly source: string; readonly sink: string; readonly state: string };
}

export const MAX_FLEET_NAME = 45;

/** A fleet that was sent, as it is remembered. */
export interface FleetRef {
  readonly name: string;
  readonly shards: number;
  /** What the engine answered, where its name alone does not find it again: an id. */
  readonly handle: string | undefined;
}

/** `waiting`: known, not started. `stopped`: by somebody's request. */
export type Phase = 'waiting' | 'running' | 'succeeded' | 'failed' | 'stopped';

export interface FleetState {
  readonly phase: Phase;
  /** In the engine's own words, where it says why. */
  readonly reason: string | undefined;
  /** What the engine tells of single shards; those that it tells nothing of are left out. */
  readonly shards: readonly {
    readonly index: number;
    readonly phase: Phase;
    readonly exitCode: number | undefined;
    readonly reason: string | undefined;
  }[];
}

/** What is sent, for `--print`: exactly that. */
export interface EngineRequest {
  /** `CreateProcessingJob`, `POST http://127.0.0.1:8265/api/jobs/`; undefined where the body says what it is. */
  readonly call: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
}

/**
 * Starts fleets. Nothing is sent but by `submit` and `stop`. Errors: USAGE for what the engine would refuse or did refuse
 * (a limit, a name in use, a role without rights), ENGINE where it cannot be reached or did not recover.
 */
export interface Engine extends Closable {
  readonly name: EngineName;
  /** For messages: `SageMaker in eu-central-1`, `namespace docs of https://10.0.0.1:6443`. */
  readonly place: string;
  readonly maxShards: number;
  /** How people write requests here. */
  readonly format: 'json' | 'yaml';
  /** It takes every exit code but 0 for failure: dead letters must not show in the exit codes of its processes. */
  readonly onlyZeroSucceeds: boolean;
  /** Why a variable's value would not arrive as it is (`longer than 256 characters`); undefined where it does. */
  refusesValue(value: string): string | undefined;
  /** Asks nothing of the engine. Error: USAGE, for all that can be told without it. */
  requests(fleet: Fleet): readonly EngineRequest[];
  /** Resolves, with the handle if any, when the engine has taken all of it; what it took is taken back on an error. */
  submit(fleet: Fleet, options?: Abortable): Promise<string | undefined>;
  /** undefined where the engine does not know it. */
  state(fleet: FleetRef, options?: Abortable): Promise<FleetState | undefined>;
  /** Asks the engine to end the fleet in good order. Idempotent. */
  stop(fleet: FleetRef, options?: Abortable): Promise<void>;
  /** One line: the command or place that shows the logs. */
  logsOf(fleet: FleetRef): string;
}
