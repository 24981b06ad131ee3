import { EmbatchError } from '../core/errors.js';
import type { Command, OptionSpec } from '../core/option-kinds.js';
import { kebabCase, variableName } from '../core/option-names.js';
import { options as declared, type OptionName, type Options } from '../core/options.js';
import { closest } from './closest.js';

/** Where a value came from: for messages, and for `--dry-run`. */
export type Origin = 'flag' | 'environment' | 'job file' | 'default';

export interface ResolvedOptions {
  readonly options: Options;
  readonly origins: Readonly<Record<OptionName, Origin>>;
}

export interface OptionSources {
  /** Values of flags by option name; undefined where a flag was not given. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Content of the job file, if any. */
  readonly file: Readonly<Record<string, unknown>> | undefined;
}

export const optionEntries = Object.entries(declared) as [OptionName, OptionSpec][];

/** Flag over variable over job file over default; validates all that is given. Error: USAGE. */
export function resolveOptions(command: Command, sources: OptionSources): ResolvedOptions {
  refuseUnknownKeys(sources.file);
  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  for (const [name, spec] of optionEntries) {
    const given = spec.commands.includes(command) ? firstGiven(name, sources) : undefined;
    origins[name] = given?.origin ?? 'default';
    values[name] = given === undefined ? spec.default : validated(name, spec, given);
  }
  return { options: values as Options, origins: origins as Record<OptionName, Origin> };
}

interface Given {
  readonly raw: unknown;
  readonly origin: Origin;
  /** How the user wrote it: `--workers`, `EMBATCH_WORKERS`, `workers in the job file`. */
  readonly label: string;
}

function firstGiven(name: OptionName, { flags, environment, file }: OptionSources): Given | undefined {
  const candidates: Given[] = [
    { raw: flags[name], origin: 'flag', label: `--${kebabCase(name)}` },
    { raw: environment[variableName(name)], origin: 'environment', label: variableName(name) },
    { raw: file?.[name], origin: 'job file', label: `${name} in the job file` },
  ];
  return candidates.find(({ raw }) => raw !== undefined && raw !== null);
}

function validated(name: OptionName, spec: OptionSpec, { raw, label }: Given): unknown {
  const result = spec.schema.safeParse(raw);
  if (result.success) return result.data;
  const wanted = result.error.issues[0]?.message ?? 'something else';
  throw new EmbatchError('USAGE', `${label} must be ${wanted}; it is ${JSON.stringify(raw)}.`, {
    details: { option: name },
  });
}

function refuseUnknownKeys(file: Readonly<Record<string, unknown>> | undefined): void {
  const names = optionEntries.map(([name]) => name as string);
  for (const key of Object.keys(file ?? {})) {
    if (names.includes(key)) continue;
    const near = closest(key, names);
    throw new EmbatchError(
      'USAGE',
      `the job file has a key ${JSON.stringify(key)} that is no option${near === undefined ? '' : `; ${near} is one`}. ` +
        'Keys are the flags in camelCase, such as chunkTokens.',
    );
  }
}

/** Set variables that look like options and are none. Not an error: an engine may inject such names. */
export function unknownVariables(environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Set(optionEntries.map(([name]) => variableName(name)));
  return Object.keys(environment).filter(
    (name) => name.startsWith('EMBATCH_') && !known.has(name) && !name.startsWith('EMBATCH_TEST_'),
  );
}
