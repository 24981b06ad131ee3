import type { Command } from '../option-kinds.js';

/** Commands that know a whole job: they embed documents, or see to it that they were. */
export const run: readonly Command[] = ['run', 'retry', 'verify'];
export const embedding: readonly Command[] = ['run', 'retry'];
export const onlyRun: readonly Command[] = ['run'];
export const verify: readonly Command[] = ['verify'];
export const search: readonly Command[] = ['search'];
export const both: readonly Command[] = [...run, 'search'];
export const check: readonly Command[] = ['models check'];
/** Commands that look at one model. */
export const oneModel: readonly Command[] = ['models pull', 'models inspect', 'models check'];
/** Commands for which options of the recipe matter: its space half, and its text half. */
export const space: readonly Command[] = [...run, 'models inspect', 'models check'];
export const recipe: readonly Command[] = [...run, 'models inspect'];
export const all: readonly Command[] = [...both, 'models list', ...oneModel];
