import { EmbatchError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import { planJob } from '../job/plan/plan-job.js';
import { printPlan } from './plan-output.js';
import { openSession } from './session.js';
import { handleStopSignals } from './signals.js';

/** `embatch plan`: gives the exit code. */
export async function planCommand(
  source: string | undefined,
  flags: Record<string, unknown>,
): Promise<number> {
  const flag = flags['source'] as string | undefined;
  if (source !== undefined && flag !== undefined && flag !== source) {
    throw new EmbatchError('USAGE', `two sources are named: ${source} and --source ${flag}.`);
  }
  const { options, log } = await openSession('plan', { ...flags, source: flag ?? source });
  const signals = handleStopSignals(log);
  const { stop } = signals;
  try {
    const report = await planJob(options, { log, stop });
    printPlan(report, options);
    return report.exitCode;
  } catch (error) {
    if (signals.bug() !== undefined) throw signals.bug();
    if (!stop.aborted) throw error;
    const exitCode = stop.reason === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated;
    if (options.json) process.stdout.write(`${JSON.stringify({ status: 'stopped', exitCode })}\n`);
    else process.stderr.write('Stopped before the plan was made. Nothing was written.\n');
    return exitCode;
  } finally {
    signals.dispose();
  }
}
