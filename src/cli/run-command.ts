import { exitCodes } from '../core/exit-codes.js';
import { describeJob } from '../job/describe.js';
import { runJob } from '../job/run.js';
import { describeFailure, type RunSummary } from '../job/summary.js';
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
  const signals = handleStopSignals(log);
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
    return ended.exitCode;
  } finally {
    signals.dispose();
  }
}

function failedByBug(summary: RunSummary, bug: unknown): RunSummary {
  return { ...summary, status: 'failed', exitCode: exitCodes.bug, error: describeFailure(bug) };
}
