import { variableName } from '../../core/option-names.js';
import { options as declared, type OptionName, type Options } from '../../core/options.js';
import type { OptionSpec } from '../../core/option-kinds.js';

/** Options that are about this process, or that every shard works out for itself. */
const notPassedOn: readonly OptionName[] = ['config', 'dryRun', 'shards', 'json', 'progress'];

/** Variables of others that decide what a shard reads and writes. Those that hold secrets are never passed on. */
const foreignVariables = [
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_S3',
  'OPENSEARCH_URL',
  'HF_ENDPOINT',
  'HF_HUB_OFFLINE',
] as const;

/** Options of `run` as they were given, by name, and as texts that a variable can hold. */
export function givenOptions(
  options: Options,
  origins: Readonly<Record<OptionName, string>>,
): Readonly<Partial<Record<OptionName, string>>> {
  const given: Partial<Record<OptionName, string>> = {};
  for (const [name, spec] of Object.entries(declared) as [OptionName, OptionSpec][]) {
    const value = options[name];
    const isGiven = origins[name] !== 'default' && value !== undefined;
    if (isGiven && spec.commands.includes('run') && !notPassedOn.includes(name))
      given[name] = textOf(spec, value);
  }
  return given;
}

/** As a flag or a variable is typed. */
function textOf({ kind }: OptionSpec, value: unknown): string {
  if (kind === 'list') return JSON.stringify(value);
  return kind === 'duration' ? `${String(value)}ms` : String(value);
}

/** Those variables that are set. One with a password in its URL is left out: `onSecret` is told its name. */
export function foreignEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  onSecret: (name: string) => void,
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of foreignVariables) {
    const value = environment[name];
    if (value === undefined || value === '') continue;
    if (/:\/\/[^/@]*@/.test(value)) onSecret(name);
    else found[name] = value;
  }
  return found;
}

export const asVariables = (given: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(given).map(([name, value]) => [variableName(name), value]));
