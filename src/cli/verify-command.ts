import { exitCodes } from '../core/exit-codes.js';
import { verifyJob } from '../job/verify/verify-job.js';
import { openSession } from './session.js';
import { withSource } from './source-argument.js';
import { handleStopSignals } from './signals.js';
import { printVerification } from './verify-output.js';

/** `embatch verify`: gives the exit code. */
export async function verifyCommand(
  source: string | undefined,
  flags: Record<string, unknown>,
): Promise<number> {
  const { options, log } = await openSession('verify', withSource(source, flags));
  const signals = handleStopSignals(log);
  const { stop, abandon } = signals;
  try {
    const report = await verifyJob(options, { log, stop, abandon });
    printVerification(report, options);
    return report.exitCode;
  } catch (error) {
    if (signals.bug() !== undefined) throw signals.bug();
    if (!stop.aborted) throw error;
    return stopped(stop.reason, options.json);
  } finally {
    signals.dispose();
  }
}

/** Half a look proves nothing. */
function stopped(signal: unknown, json: boolean): number {
  const exitCode = signal === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated;
  if (json) process.stdout.write(`${JSON.stringify({ status: 'stopped', exitCode })}\n`);
  else
    process.stderr.write('Stopped before all was seen: nothing is proved. The same command begins anew.\n');
  return exitCode;
}
