import { runCommand } from './run-command.js';

/** `embatch retry`: gives the exit code; 20 as long as something that failed remains. */
export function retryCommand(source: string | undefined, flags: Record<string, unknown>): Promise<number> {
  return runCommand(source, flags, 'retry');
}
