import { EmbatchError } from '../core/errors.js';
import { sagemakerHosts } from './sagemaker.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Text of a file; undefined where there is none. */
export type ReadText = (path: string) => Promise<string | undefined>;

interface DetectorContext {
  readonly shards: number | undefined;
  readonly readText: ReadText;
}

interface Position {
  readonly index: number;
  readonly count: number;
}

export interface Detector {
  /** What the summary and the log call it. */
  readonly from: string;
  /** Its variables mean other things elsewhere: asked only with `--rank-from env`. */
  readonly onlyOnRequest?: boolean;
  /** undefined where this engine did not start the process. USAGE where it did but the total is not known. */
  detect(env: Environment, context: DetectorContext): Position | undefined | Promise<Position | undefined>;
}

/** In the order in which they are asked: engines first, CI next (its jobs may run inside an engine), generic last. */
export const detectors: readonly Detector[] = [
  { from: 'sagemaker', detect: async (_env, { readText }) => sagemakerHosts(readText) },
  { from: 'kubernetes', detect: kubernetes },
  { from: 'aws-batch', detect: awsBatchArray },
  { from: 'aws-batch', detect: pairDetector('AWS_BATCH_JOB_NODE_INDEX', 'AWS_BATCH_JOB_NUM_NODES') },
  { from: 'slurm', detect: slurm },
  { from: 'gitlab', detect: gitlab },
  { from: 'buildkite', detect: pairDetector('BUILDKITE_PARALLEL_JOB', 'BUILDKITE_PARALLEL_JOB_COUNT') },
  { from: 'circleci', detect: circleci },
  { from: 'env', detect: pairDetector('RANK', 'WORLD_SIZE'), onlyOnRequest: true },
];

/** An Indexed Job says which index this is, and nowhere how many there are. */
function kubernetes(env: Environment, { shards }: DetectorContext): Position | undefined {
  return withTotalFromShards(env, 'JOB_COMPLETION_INDEX', shards, "the Job's spec.completions");
}

/** The size is in today's documentation, but not in that of 2023. */
function awsBatchArray(env: Environment, { shards }: DetectorContext): Position | undefined {
  return env['AWS_BATCH_JOB_ARRAY_SIZE'] === undefined
    ? withTotalFromShards(env, 'AWS_BATCH_JOB_ARRAY_INDEX', shards, 'the size of the array')
    : pair(env, 'AWS_BATCH_JOB_ARRAY_INDEX', 'AWS_BATCH_JOB_ARRAY_SIZE');
}

/** Each task of an array may itself run several processes in a step: then every one of those is a shard. */
function slurm(env: Environment): Position | undefined {
  const array = slurmArray(env);
  const step = slurmStep(env);
  if (array === undefined || step === undefined) return array ?? step;
  return { index: array.index * step.count + step.index, count: array.count * step.count };
}

/**
 * Task ids may start anywhere and have a step. They may also be any list (`--array=1,5,6`), of which no
 * variable tells the members: then the position is not known.
 */
function slurmArray(env: Environment): Position | undefined {
  const id = integer(env, 'SLURM_ARRAY_TASK_ID');
  if (id === undefined) return undefined;
  const count = integer(env, 'SLURM_ARRAY_TASK_COUNT');
  const min = integer(env, 'SLURM_ARRAY_TASK_MIN');
  const max = integer(env, 'SLURM_ARRAY_TASK_MAX');
  const step = integer(env, 'SLURM_ARRAY_TASK_STEP') ?? 1;
  if (count === undefined || min === undefined || max === undefined) {
    throw new EmbatchError(
      'USAGE',
      `SLURM_ARRAY_TASK_ID is ${id}, but SLURM_ARRAY_TASK_COUNT, _MIN and _MAX are not all set. Give --shard and --shards.`,
    );
  }
  if (count !== (max - min) / step + 1 || (id - min) % step !== 0 || id < min || id > max) {
    throw new EmbatchError(
      'USAGE',
      `The Slurm array of ${count} tasks from ${min} to ${max} (step ${step}) is not a plain range, so the place of ` +
        `task ${id} in it is not known. Use --array=0-${count - 1}, or give --shard and --shards.`,
    );
  }
  return { index: (id - min) / step, count };
}

/**
 * Outside a step SLURM_PROCID is 0, whatever else runs: it would be shard 0 of N without the others. The batch
 * script and an interactive shell are steps with numbers from {@link SLURM_FIRST_SPECIAL_STEP} up.
 */
function slurmStep(env: Environment): Position | undefined {
  const step = integer(env, 'SLURM_STEP_ID');
  if (step === undefined || step >= SLURM_FIRST_SPECIAL_STEP) return undefined;
  return pair(env, 'SLURM_PROCID', 'SLURM_NTASKS');
}

const SLURM_FIRST_SPECIAL_STEP = 0xffff_fff0;

/** Counts from 1. The total is set, to 1, on every job; only parallel ones have an index. */
function gitlab(env: Environment): Position | undefined {
  const found = pair(env, 'CI_NODE_INDEX', 'CI_NODE_TOTAL');
  if (found === undefined) return undefined;
  if (found.index === 0) {
    throw new EmbatchError(
      'USAGE',
      'CI_NODE_INDEX is 0, but GitLab counts from 1. Give --shard and --shards.',
    );
  }
  return { index: found.index - 1, count: found.count };
}

/** Both variables are set on every job; one alone is not parallel. */
function circleci(env: Environment): Position | undefined {
  const found = pair(env, 'CIRCLE_NODE_INDEX', 'CIRCLE_NODE_TOTAL');
  return found?.count === 1 ? undefined : found;
}

function pairDetector(indexName: string, countName: string): Detector['detect'] {
  return (env) => pair(env, indexName, countName);
}

function pair(env: Environment, indexName: string, countName: string): Position | undefined {
  const index = integer(env, indexName);
  if (index === undefined) return undefined;
  const count = integer(env, countName);
  if (count === undefined) {
    throw new EmbatchError(
      'USAGE',
      `${indexName} is ${index}, but ${countName} is not set. Give --shard and --shards.`,
    );
  }
  return { index, count };
}

function withTotalFromShards(
  env: Environment,
  indexName: string,
  shards: number | undefined,
  total: string,
): Position | undefined {
  const index = integer(env, indexName);
  if (index === undefined) return undefined;
  if (shards === undefined) {
    throw new EmbatchError(
      'USAGE',
      `${indexName} is ${index}, but not how many there are: set EMBATCH_SHARDS (--shards) to ${total}.`,
    );
  }
  return { index, count: shards };
}

/** A variable that is set but empty counts as not set: templates leave such behind. */
function value(env: Environment, name: string): string | undefined {
  const text = env[name]?.trim();
  return text === '' ? undefined : text;
}

function integer(env: Environment, name: string): number | undefined {
  const text = value(env, name);
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number)) {
    throw new EmbatchError(
      'USAGE',
      `${name} is "${text}", which is not a shard number. Give --shard and --shards.`,
    );
  }
  return number;
}
