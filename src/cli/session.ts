import type { Logger } from '../core/interfaces.js';
import type { Command } from '../core/option-kinds.js';
import { closest } from './closest.js';
import { readJobFile } from './job-file.js';
import { createLogger } from './log.js';
import { resolveOptions, unknownVariables, type ResolvedOptions } from './resolve-options.js';
import { variableName } from '../core/option-names.js';
import { optionEntries } from './resolve-options.js';

export interface Session extends ResolvedOptions {
  readonly log: Logger;
}

/** What every command begins with: options from all their sources, and a logger. Error: USAGE. */
export async function openSession(
  command: Command,
  flags: Readonly<Record<string, unknown>>,
  around?: (write: () => void) => void,
): Promise<Session> {
  const config = flags['config'] ?? process.env[variableName('config')];
  const file = typeof config === 'string' ? await readJobFile(config) : undefined;
  const resolved = resolveOptions(command, { flags, environment: process.env, file });
  const { logLevel, logFormat } = resolved.options;
  const log = createLogger({
    level: logLevel,
    format: logFormat,
    ...(around === undefined ? {} : { around }),
  });
  for (const name of unknownVariables(process.env)) {
    const near = closest(
      name,
      optionEntries.map(([option]) => variableName(option)),
    );
    log.warn(`${name} is set but is no option${near === undefined ? '' : `; ${near} is one`}`);
  }
  return { ...resolved, log };
}
