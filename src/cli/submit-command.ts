import { exitCodes } from '../core/exit-codes.js';
import type { Engine, EngineName } from '../engines/engine.js';
import { createEngine } from '../job/fleet/engines.js';
import { finalizeJob, stateUriOf } from '../job/fleet/finalize.js';
import { exitCodeOfFleet, followFleet, type FleetView } from '../job/fleet/follow.js';
import { prepareFleet, submitFleet } from '../job/fleet/submit.js';
import type { Submission } from '../job/fleet/submissions.js';
import { detachSubmit } from './detach-submit.js';
import { handleInterruption } from './interruption.js';
import { openSession, type Session } from './session.js';
import { withSource } from './source-argument.js';
import { createFleetDisplay, printRequests, submittedText } from './submit-output.js';

/** How often a fleet is looked at: children of this process cost nothing, an API wants to be spared. */
const LOOK_EVERY_MS = { local: 1000, elsewhere: 10_000 };

/** `embatch submit ENGINE`: gives the exit code; with `--wait` that of the fleet. */
export async function submitCommand(
  name: EngineName,
  source: string | undefined,
  flags: Record<string, unknown>,
): Promise<number> {
  const session = await openSession(`submit ${name}`, withSource(source, flags));
  const { options, log } = session;
  const engine = await createEngine(name, options, { log, environment: process.env });
  if (options.print) {
    const { requests, jobFile, fleet } = await prepareFleet(engine, session, { isPrinted: true });
    if (jobFile !== undefined)
      log.info(`${fleet.environment['EMBATCH_CONFIG'] ?? ''} would hold ${jobFile.text.trim()}`);
    await printRequests(requests, engine.format, options.json);
    return exitCodes.ok;
  }
  // Its processes are children: somebody must stay to start those again that fail.
  if (name === 'local' && !options.wait) {
    await prepareFleet(engine, session);
    return detachSubmit(stateUriOf(options), engine, options.json);
  }
  const interruption = handleInterruption();
  try {
    const submission = await submitFleet(engine, session, { signal: interruption.signal });
    if (!options.wait) {
      process.stdout.write(submittedText(submission, engine, stateUriOf(options), options.json));
      return exitCodes.ok;
    }
    log.info(
      `${submission.name}: ${submission.shards} shards on ${engine.place}; logs: ${engine.logsOf(submission)}`,
    );
    return await waitForEnd(engine, submission, session, interruption.signal);
  } finally {
    await engine.close();
    interruption.dispose();
  }
}

async function waitForEnd(
  engine: Engine,
  submission: Submission,
  { options, log }: Session,
  signal: AbortSignal,
): Promise<number> {
  const display = createFleetDisplay();
  let view: FleetView;
  try {
    view = await followFleet(engine, submission, stateUriOf(options), {
      intervalMs: engine.name === 'local' ? LOOK_EVERY_MS.local : LOOK_EVERY_MS.elsewhere,
      onView: (shown) => {
        display.show(shown);
      },
      log,
      signal,
    });
  } catch (error) {
    if (!signal.aborted) throw error;
    return await stopFollowing(engine, submission, signal);
  } finally {
    display.end();
  }
  let exitCode = exitCodeOfFleet(view);
  if (exitCode === exitCodes.ok || exitCode === exitCodes.deadLetters) {
    const status = await finalizeJob(options, { log, signal, submission });
    exitCode = status.exitCode;
  }
  display.result({ view, submission, engine, exitCode, state: stateUriOf(options), json: options.json });
  return exitCode;
}

/** Children end with this process, in good order; what runs elsewhere goes on. */
async function stopFollowing(engine: Engine, submission: Submission, signal: AbortSignal): Promise<number> {
  const exitCode = signal.reason === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated;
  if (engine.name === 'local') {
    await engine.stop(submission);
    await engine.close();
    process.stderr.write('Stopped, and so were the shards. The same command takes it up again.\n');
  } else {
    process.stderr.write(
      `No longer followed; ${submission.name} goes on at ${engine.place}. \`embatch status\` shows how it stands.\n`,
    );
  }
  return exitCode;
}
