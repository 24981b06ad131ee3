import { CommanderError } from 'commander';
import { describeError, isEmbatchError } from '../core/errors.js';
import { exitCodeOf, exitCodes } from '../core/exit-codes.js';
import { createProgram, groups, topCommands } from './commands.js';

/** Parses the command line, runs one command and gives its exit code. Prints errors; never throws. */
export async function main(argv: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.ok;
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignoreClosedPipe);
  const program = createProgram((code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    const failed = reportFailure(error, argv);
    if (failed.exitCode !== exitCodes.ok) await leaveMessageOf(failed, argv);
    return failed.exitCode;
  }
}

/** A shard that never came to its work tells its engine, too. */
async function leaveMessageOf({ exitCode, message }: Failure, argv: readonly string[]): Promise<void> {
  const command = argv.find((word) => !word.startsWith('-'));
  if (command !== 'run' && command !== 'retry') return;
  const { leaveExitMessage, messageOfFailure, shardFromSurroundings } = await import('./exit-message.js');
  const shard = await shardFromSurroundings(process.env);
  leaveExitMessage(messageOfFailure(shard, exitCode, message), (text) =>
    process.stderr.write(`embatch: ${text}\n`),
  );
}

/** A reader such as `head` may leave early; that is its right and no failure of ours. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

interface Failure {
  readonly exitCode: number;
  readonly message: string;
}

function reportFailure(error: unknown, argv: readonly string[]): Failure {
  if (error instanceof CommanderError && error.exitCode === 0) return { exitCode: exitCodes.ok, message: '' };
  const usage = error instanceof CommanderError;
  const exitCode = usage ? exitCodes.usage : exitCodeOf(error);
  const message = usage ? usageMessage(error, argv) : describeError(error);
  if (argv.includes('--json')) {
    const code = usage ? 'USAGE' : isEmbatchError(error) ? error.code : 'BUG';
    process.stdout.write(`${JSON.stringify({ status: 'failed', exitCode, error: { code, message } })}\n`);
  }
  process.stderr.write(`embatch: ${message}\n`);
  const debug = argv.includes('--log-level=debug') || argv[argv.indexOf('--log-level') + 1] === 'debug';
  if (exitCode === exitCodes.bug || debug) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? '') : ''}\n`);
  }
  return { exitCode, message };
}

function usageMessage(error: CommanderError, argv: readonly string[]): string {
  const [first = '', second = ''] = argv.filter((word) => !word.startsWith('-'));
  const group = groups[first];
  if (error.code === 'commander.help') {
    return group === undefined
      ? `name a command: ${topCommands.join(', ')}. \`embatch --help\` tells more.`
      : `name a command: ${first} ${group.join(', ')}. \`embatch ${first} --help\` tells more.`;
  }
  const command =
    group?.includes(second) === true ? `${first} ${second}` : topCommands.find((name) => name === first);
  const what = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  return `${what}. See \`embatch ${command === undefined ? '' : `${command} `}--help\`.`;
}
