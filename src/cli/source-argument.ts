import { EmbatchError } from '../core/errors.js';

/** Flags with the source that was named, as argument or as flag. Error: USAGE where both are, and differ. */
export function withSource(
  source: string | undefined,
  flags: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const flag = flags['source'] as string | undefined;
  if (source !== undefined && flag !== undefined && flag !== source) {
    throw new EmbatchError('USAGE', `two sources are named: ${source} and --source ${flag}.`);
  }
  return { ...flags, source: flag ?? source };
}
