import type { z } from 'zod';
import type { OptionSpec } from './option-kinds.js';
import { fleetOptions } from './options/fleet.js';
import { jobOptions } from './options/job.js';
import { ledgerOptions } from './options/ledger.js';
import { modelOptions } from './options/model.js';
import { outputOptions } from './options/output.js';
import { planOptions } from './options/plan.js';
import { sinkOptions } from './options/sink.js';
import { sourceOptions } from './options/source.js';
import { textOptions } from './options/text.js';

/** Every option of embatch. Flags are the names in kebab case, variables `EMBATCH_` and the names in upper case. */
export const options = {
  ...jobOptions,
  ...sourceOptions,
  ...textOptions,
  ...modelOptions,
  ...ledgerOptions,
  ...sinkOptions,
  ...planOptions,
  ...fleetOptions,
  ...outputOptions,
} satisfies Record<string, OptionSpec>;

export type OptionName = keyof typeof options;

type ValueOf<Spec> = Spec extends { readonly schema: z.ZodType<infer Value>; readonly default: infer Default }
  ? undefined extends Default
    ? Value | undefined
    : Value
  : never;

/** Validated values; undefined where nothing was given and the program works it out. */
export type Options = { readonly [Name in OptionName]: ValueOf<(typeof options)[Name]> };
