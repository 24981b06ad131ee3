import { exitCodes } from '../core/exit-codes.js';
import { describeJob } from '../job/describe.js';
import { runJob } from '../job/run.js';
import { describeFailure, type RunSummary } from '../job/summary.js';
import { detectRank } from '../shard/rank.js';
import { leaveExitMessage, messageOfSuddenEnd, messageOfSummary } from './exit-message.js';
import { createProgressDisplay } from './progress.js';
import { printSummary } from './run-output.js';
import { openSession } from './session.js';
import { withSource } from './source-argument.js';
import { handleStopSignals } from './signals.js';

/** `embatch run`, and `embatch retry`, which is the same for what failed: gives the exit code. */
export async function runCommand(
  source: string | undefined,
  flags: Record<string, unknown>,
  mode: 'run' | 'retry' = 'run',
): Promise<number> {
  const display = createProgressDisplay();
  const { options, origins, log } = await openSession(mode, withSource(source, flags), (write) => {
    display.around(write);
  });
  if (options.dryRun) {
    process.stdout.write(await describeJob(options, origins, options.json ? 'json' : 'yaml'));
    return 0;
  }
  // Where it cannot be told, the run says why.
  const shard = await detectRank(process.env, options).catch(() => undefined);
  const leave = (message: string): void => {
    leaveExitMessage(message, (text) => log.warn(text));
  };
  const signals = handleStopSignals(log, () => {
    leave(messageOfSuddenEnd(shard));
  });
  try {
    const summary = await runJob(options, {
      mode,
      log,
      stop: signals.stop,
      abandon: signals.abandon,
      countAhead: options.progress && process.stderr.isTTY,
      ...(options.progress ? { onProgress: (progress) => display.start(progress) } : {}),
    });
    const ended = signals.bug() === undefined ? summary : failedByBug(summary, signals.bug());
    printSummary(ended, options);
    leave(messageOfSummary(shard, ended));
    return options.tolerateDeadLetters && ended.status === 'partial' ? exitCodes.ok : ended.exitCode;
  } finally {
    signals.dispose();
  }
}

function failedByBug(summary: RunSummary, bug: unknown): RunSummary {
  return { ...summary, status: 'failed', exitCode: exitCodes.bug, error: describeFailure(bug) };
}
