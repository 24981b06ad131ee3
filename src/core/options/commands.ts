import type { Command } from '../option-kinds.js';

/** Commands that start a fleet: they take the flags of `run`, for its shards. */
export const submit: readonly Command[] = [
  'submit local',
  'submit sagemaker',
  'submit kubernetes',
  'submit aws-batch',
  'submit ray',
];
/** Commands that start containers, or processes of a cluster. */
export const submitElsewhere: readonly Command[] = submit.filter((command) => command !== 'submit local');
/** Commands that do a shard's work, or see to it that it was done. */
export const oneShard: readonly Command[] = ['run', 'retry', 'verify'];
/** Commands that know a whole job. */
export const run: readonly Command[] = [...oneShard, 'plan', ...submit];
export const embedding: readonly Command[] = ['run', 'retry'];
export const onlyRun: readonly Command[] = ['run'];
/** What changes what a run does, and belongs to nothing but a run. */
export const runs: readonly Command[] = ['run', ...submit];
/** Commands that look at a whole fleet. */
export const fleet: readonly Command[] = ['status', 'finalize'];
export const verify: readonly Command[] = ['verify'];
export const plan: readonly Command[] = ['plan'];
export const search: readonly Command[] = ['search'];
/** Commands that open an index. */
export const indexing: readonly Command[] = [...run, 'finalize', 'search'];
export const check: readonly Command[] = ['models check'];
/** Commands that look at one model. */
export const oneModel: readonly Command[] = ['models pull', 'models inspect', 'models check'];
/** Commands for which options of the recipe matter: its space half, and its text half. */
export const space: readonly Command[] = [...run, 'models inspect', 'models check'];
export const recipe: readonly Command[] = [...run, 'models inspect'];
export const all: readonly Command[] = [...indexing, 'status', 'models list', ...oneModel];
