import { z } from 'zod';
import { parseDurationMs, parseSize } from './units.js';

/** Commands that options belong to. */
export type Command =
  | 'run'
  | 'retry'
  | 'verify'
  | 'plan'
  | `submit ${'local' | 'sagemaker' | 'kubernetes' | 'aws-batch' | 'ray'}`
  | 'status'
  | 'finalize'
  | 'search'
  | 'models list'
  | 'models pull'
  | 'models inspect'
  | 'models check';

export const optionGroups = [
  'Job',
  'Source',
  'Documents',
  'Chunks',
  'Model',
  'Ledger',
  'Sink',
  'OpenSearch',
  'Shard',
  'Plan',
  'Fleet',
  'SageMaker',
  'Kubernetes',
  'AWS Batch',
  'Ray',
  'Verify',
  'Output',
] as const;

export type OptionGroup = (typeof optionGroups)[number];

interface OptionText {
  readonly group: OptionGroup;
  readonly commands: readonly Command[];
  /** One sentence for `--help` and docs/options.md; names the unit, never the default. */
  readonly describe: string;
}

/**
 * One option: the flag, the `EMBATCH_…` variable, the key of the job file, validation, help and documentation
 * all come from this.
 */
export interface OptionSpec<
  Value = unknown,
  Default extends Value | undefined = Value | undefined,
> extends OptionText {
  readonly kind:
    'text' | 'list' | 'integer' | 'number' | 'fraction' | 'count' | 'size' | 'duration' | 'choice' | 'flag';
  /** Placeholder in help: `<uri>`; empty for flags. */
  readonly value: string;
  /** Accepts what a flag or variable (text) or a job file (any JSON value) gives. */
  readonly schema: z.ZodType<Value>;
  /** What is used where nothing is given; undefined where the program works it out. */
  readonly default: Default;
}

type Text<Default = never> = OptionText & { readonly value?: string; readonly default?: Default };

export function text<Default extends string | undefined = undefined>(
  spec: Text<Default>,
): OptionSpec<string, Default> {
  const schema = z.string('a text').min(1, 'a text that is not empty');
  return { ...spec, kind: 'text', value: spec.value ?? '<text>', schema, default: spec.default as Default };
}

/** A text that may be empty. */
export function prompt(spec: Text): OptionSpec<string, undefined> {
  return { ...spec, kind: 'text', value: '<text>', schema: z.string('a text'), default: undefined };
}

/** Repeatable as a flag; in a variable separated by commas outside braces, or a JSON array. */
export function list(spec: Text): OptionSpec<readonly string[], readonly string[]> {
  const schema = z.preprocess(splitList, z.array(z.string().min(1), 'a list of texts'));
  return { ...spec, kind: 'list', value: spec.value ?? '<text>', schema, default: [] };
}

export function integer<Default extends number | undefined = undefined>(
  spec: Text<Default> & { readonly min: number; readonly max?: number },
): OptionSpec<number, Default> {
  const max = spec.max ?? Number.MAX_SAFE_INTEGER;
  const wanted =
    spec.max === undefined
      ? `a whole number of at least ${spec.min}`
      : `a whole number from ${spec.min} to ${max}`;
  const schema = z.preprocess(
    (raw) => (typeof raw === 'string' && /^\s*-?\d+\s*$/.test(raw) ? Number(raw) : raw),
    z.int(wanted).min(spec.min, wanted).max(max, wanted),
  );
  return { ...spec, kind: 'integer', value: spec.value ?? '<n>', schema, default: spec.default as Default };
}

/** 0 or more, with decimals. */
export function amount(spec: Text): OptionSpec<number, undefined> {
  const wanted = 'a number of at least 0';
  const schema = z.preprocess(
    (raw) => (typeof raw === 'string' && /^\s*\d*\.?\d+\s*$/.test(raw) ? Number(raw) : raw),
    z.number(wanted).min(0, wanted),
  );
  return { ...spec, kind: 'number', value: spec.value ?? '<number>', schema, default: undefined };
}

/** From 0 to 1. */
export function fraction<Default extends number | undefined = undefined>(
  spec: Text<Default>,
): OptionSpec<number, Default> {
  const wanted = 'a number from 0 to 1';
  const schema = z.preprocess(
    (raw) => (typeof raw === 'string' && /^\s*\d*\.?\d+\s*$/.test(raw) ? Number(raw) : raw),
    z.number(wanted).min(0, wanted).max(1, wanted),
  );
  return { ...spec, kind: 'fraction', value: '<share>', schema, default: spec.default as Default };
}

/** How many, or what per cent of all. */
export type CountOrPercent = number | `${number}%`;

/** A whole number, or per cent from 0 to 100. */
export function countOrPercent(spec: Text): OptionSpec<CountOrPercent, undefined> {
  const wanted = 'a whole number of at least 0, or per cent from 0% to 100%';
  const isPercent = (value: unknown): value is `${number}%` =>
    typeof value === 'string' && /^\d+(\.\d+)?%$/.test(value) && Number.parseFloat(value) <= 100;
  const schema = z.preprocess(
    (raw) => {
      if (typeof raw !== 'string') return raw;
      const text = raw.replace(/\s/g, '');
      return /^\d+$/.test(text) ? Number(text) : text;
    },
    z.union([z.int(wanted).min(0, wanted), z.custom<`${number}%`>(isPercent, wanted)], wanted),
  );
  return { ...spec, kind: 'count', value: '<n|percent>', schema, default: undefined };
}

/** Bytes. */
export function size<Default extends number | undefined = undefined>(
  spec: Text<Default> & { readonly min: number },
): OptionSpec<number, Default> {
  const wanted = `a size of at least ${spec.min} bytes, such as 10MB or 64KiB`;
  const schema = z.preprocess(
    (raw) => (typeof raw === 'string' ? parseSize(raw) : raw),
    z.int(wanted).min(spec.min, wanted),
  );
  return { ...spec, kind: 'size', value: spec.value ?? '<size>', schema, default: spec.default as Default };
}

/** Milliseconds. */
export function duration<Default extends number | undefined = undefined>(
  spec: Text<Default> & { readonly min: number },
): OptionSpec<number, Default> {
  const wanted = `a duration of at least ${spec.min} ms, such as 500ms, 3s or 5m`;
  const schema = z.preprocess(
    (raw) => (typeof raw === 'string' ? parseDurationMs(raw) : raw),
    z.int(wanted).min(spec.min, wanted),
  );
  return {
    ...spec,
    kind: 'duration',
    value: spec.value ?? '<duration>',
    schema,
    default: spec.default as Default,
  };
}

export function choice<const Name extends string, const Default extends Name | undefined = undefined>(
  spec: Text<Default> & { readonly names: readonly Name[] },
): OptionSpec<Name, Default> {
  const schema = z.enum(spec.names as readonly [Name, ...Name[]], `one of ${spec.names.join(', ')}`);
  const value = `<${spec.names.join('|')}>`;
  return { ...spec, kind: 'choice', value, schema, default: spec.default as Default };
}

/** `--name`, and `--no-name` where the default is true. */
export function flag(spec: Text<boolean>): OptionSpec<boolean, boolean> {
  const schema = z.preprocess((raw) => {
    if (typeof raw !== 'string') return raw;
    if (/^(true|1|yes|on)$/i.test(raw)) return true;
    return /^(false|0|no|off)$/i.test(raw) ? false : raw;
  }, z.boolean('true or false'));
  return { ...spec, kind: 'flag', value: '', schema, default: spec.default ?? false };
}

function splitList(raw: unknown): unknown {
  if (typeof raw !== 'string') return raw;
  if (raw.trimStart().startsWith('[')) {
    try {
      return JSON.parse(raw) as unknown;
    } catch {
      // Not JSON, so a pattern that begins with a bracket.
    }
  }
  return raw.split(/,(?![^{]*\})/).filter((item) => item !== '');
}
