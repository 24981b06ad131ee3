import { variableName } from '../core/option-names.js';
import { options as declared, type OptionName, type Options } from '../core/options.js';
import { redactUri } from '../core/redact.js';
import { grantedCpus } from '../embed/cpus.js';
import { defaultStateUri } from '../ledger/default-state.js';
import { detectRank } from '../shard/rank.js';

/** Variables of others that a job may be decided by. Values of secrets are never shown. */
const foreignVariables = [
  'OPENSEARCH_URL',
  'OPENSEARCH_USERNAME',
  'AWS_REGION',
  'AWS_PROFILE',
  'AWS_ENDPOINT_URL_S3',
  'AWS_ENDPOINT_URL',
] as const;
const secretVariables = [
  'OPENSEARCH_PASSWORD',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
] as const;

/** The job as it would run, with the origin of every value that was given: for `--dry-run`. */
export async function describeJob(
  options: Options,
  origins: Readonly<Record<OptionName, string>>,
  format: 'json' | 'yaml',
): Promise<string> {
  const rank = await detectRank(process.env, options);
  const given = (Object.keys(declared) as OptionName[]).filter(
    (name) => name !== 'dryRun' && options[name] !== undefined && declared[name].commands.includes('run'),
  );
  const job = {
    options: Object.fromEntries(given.map((name) => [name, redacted(options[name])])),
    from: Object.fromEntries(
      given
        .filter((name) => origins[name] !== 'default')
        .map((name) => [name, originOf(name, origins[name])]),
    ),
    resolved: {
      shard: rank,
      state: redactUri(options.state ?? defaultStateUri(options.source ?? '', options.sink)),
      workers: options.workers ?? grantedCpus(),
    },
    environment: {
      ...pick(foreignVariables, redactUri),
      ...pick(secretVariables, () => '(redacted)'),
    },
  };
  if (format === 'json') return `${JSON.stringify(job)}\n`;
  const { stringify } = await import('yaml');
  return stringify(job);
}

function originOf(name: OptionName, origin: string): string {
  return origin === 'environment' ? variableName(name) : origin;
}

function redacted(value: unknown): unknown {
  if (typeof value === 'string') return redactUri(value);
  return Array.isArray(value) ? value.map(redacted) : value;
}

function pick(names: readonly string[], show: (value: string) => string): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, show(value)]];
    }),
  );
}
