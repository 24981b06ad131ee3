import { describeError, EmbatchError, isEmbatchError } from '../../core/errors.js';
import type { Abortable, StateStore } from '../../core/interfaces.js';
import type { Engine, EngineRequest, Fleet } from '../../engines/engine.js';
import { openState } from '../../ledger/open-state.js';
import { readShardReports } from '../../ledger/shard-reports.js';
import { pinPrecision } from './pin-precision.js';
import { draftFleet, nameFleet, type FleetDraft, type JobFile, type JobToSubmit } from './prepare-fleet.js';
import { fleetStatus, runOf } from './status.js';
import { claim, confirm, jobName, latestSubmission, withdraw, type Submission } from './submissions.js';

export interface PreparedFleet {
  readonly fleet: Fleet;
  readonly attempt: number;
  readonly jobFile: JobFile | undefined;
  readonly draft: FleetDraft;
  /** What would be sent. */
  readonly requests: readonly EngineRequest[];
}

/** A job with a schedule stays where it is and is never another attempt. */
const isRecurring = ({ options }: JobToSubmit): boolean => options.schedule !== undefined;

export interface PrepareOptions extends Abortable {
  /** Nothing will be sent: engine and state need not answer. */
  readonly isPrinted?: boolean;
}

/**
 * Everything that `submit` does before something is started: checks, the name of the next attempt, the requests. Errors:
 * USAGE, also where the fleet is at work already; STATE, ENGINE.
 */
export async function prepareFleet(
  engine: Engine,
  job: JobToSubmit,
  { signal, isPrinted = false }: PrepareOptions = {},
): Promise<PreparedFleet> {
  const draft = await draftFleet(engine, job);
  const base = jobName(draft);
  const state = await openState(draft.state);
  try {
    const attempt = isRecurring(job)
      ? 0
      : await nextAttempt(engine, base, { state, draft, signal }).catch((error: unknown) => {
          if (!isPrinted || !isEmbatchError(error)) throw error;
          job.log.warn(`${describeError(error)} What is printed is the first attempt.`);
          return 1;
        });
    const name = attempt === 0 ? base : `${base}-a${attempt}`;
    const { fleet, jobFile } = nameFleet(engine, draft, name);
    return { fleet, attempt, jobFile, draft, requests: engine.requests(fleet) };
  } finally {
    await state.close();
  }
}

/** Starts a fleet. Errors: USAGE where its name is in use, or the engine refuses it; STATE, ENGINE. */
export async function submitFleet(
  engine: Engine,
  job: JobToSubmit,
  { signal }: Abortable = {},
): Promise<Submission> {
  const { origins, options } = job;
  // Checked without waiting for a model first.
  await prepareFleet(engine, job, { signal });
  const precision = await pinPrecision(options, { log: job.log, signal });
  const pinned: JobToSubmit = {
    ...job,
    options: { ...options, precision },
    origins: { ...origins, precision: precision === 'auto' ? origins.precision : 'flag' },
  };
  const { fleet, attempt, jobFile, draft } = await prepareFleet(engine, pinned, { signal });
  const state = await openState(fleet.environment['EMBATCH_STATE'] ?? fleet.labels.state);
  try {
    const submission = await newSubmission(engine, fleet, { attempt, state, draft });
    if (attempt > 0 && !(await claim(state, submission, { signal }))) throw nameTaken(fleet.name, state.uri);
    let handle: string | undefined;
    try {
      if (jobFile !== undefined) await state.put(jobFile.name, jobFile.text, { signal });
      handle = await engine.submit(fleet, { signal });
    } catch (error) {
      if (attempt > 0) await withdraw(state, submission);
      throw error;
    }
    const sent = { ...submission, handle, isTaken: true };
    if (attempt > 0) await confirm(state, sent);
    return sent;
  } finally {
    await state.close();
  }
}

async function newSubmission(
  engine: Engine,
  { name, shards }: Fleet,
  {
    attempt,
    state,
    draft,
  }: { readonly attempt: number; readonly state: StateStore; readonly draft: FleetDraft },
): Promise<Submission> {
  const since = (await readShardReports(state)).map(runOf).sort().at(-1);
  return {
    name,
    shards,
    engine: engine.name,
    attempt,
    time: new Date().toISOString(),
    since,
    handle: undefined,
    source: draft.source,
    sink: draft.sinkUri,
    isTaken: false,
  };
}

/** What has claimed a name and has not heard of its engine for so long, will not any more. */
const MAX_SUBMIT_MS = 10 * 60_000;

interface AttemptOptions extends Abortable {
  readonly state: StateStore;
  readonly draft: FleetDraft;
}

/** The first attempt that neither state nor engine knows; refused while one is at work. */
async function nextAttempt(engine: Engine, base: string, { state, signal }: AttemptOptions): Promise<number> {
  const latest = await latestSubmission(state, base, { signal });
  await refuseWhileAtWork(state, signal);
  if (latest?.isTaken === false && Date.now() - Date.parse(latest.time) < MAX_SUBMIT_MS) {
    throw nameTaken(latest.name, state.uri);
  }
  let attempt = latest?.attempt ?? 1;
  for (let name = `${base}-a${attempt}`; ; name = `${base}-a${(attempt += 1)}`) {
    const known = latest?.name === name ? latest : undefined;
    const ref = known?.engine === engine.name ? known : { name, shards: 0, handle: undefined };
    const there = await engine.state(ref, { signal });
    if (there?.phase === 'waiting' || there?.phase === 'running') throw atWork(name, engine, state.uri);
    // One that the state knows and the engine has forgotten has ended.
    if (there === undefined && known === undefined) return attempt;
  }
}

/** Shards that are alive by their own word, whoever started them. */
async function refuseWhileAtWork(state: StateStore, signal: AbortSignal | undefined): Promise<void> {
  const status = await fleetStatus(state, { signal }).catch((error: unknown) => {
    if (error instanceof EmbatchError && error.code === 'USAGE') return undefined;
    throw error;
  });
  const working = status?.phases.running ?? 0;
  if (working === 0) return;
  throw new EmbatchError(
    'USAGE',
    `${working} of ${status?.count ?? 0} shards of this state are at work already, so nothing was started. ` +
      `\`embatch status --state ${state.uri}\` shows them.`,
  );
}

function atWork(name: string, engine: Engine, state: string): EmbatchError {
  return new EmbatchError(
    'USAGE',
    `${name} is there already and has not ended (${engine.place}), so nothing was started. ` +
      `\`embatch status --state ${state}\` shows how it stands.`,
  );
}

function nameTaken(name: string, state: string): EmbatchError {
  return new EmbatchError(
    'USAGE',
    `${name} is being submitted by somebody else, so nothing was started. If that was broken off, try again in ten minutes. ` +
      `\`embatch status --state ${state}\` shows how it stands.`,
  );
}
