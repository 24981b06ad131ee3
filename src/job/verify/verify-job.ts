import { randomInt } from 'node:crypto';
import { describeError, EmbatchError } from '../../core/errors.js';
import type { Logger } from '../../core/interfaces.js';
import type { Options } from '../../core/options.js';
import { counted } from '../../core/units.js';
import { takeLease } from '../take-lease.js';
import { newRunId } from '../run-id.js';
import { runJob } from '../run.js';
import { isSplit } from '../share.js';
import { lookOnce } from './look-once.js';
import { openLedgerOf, openVerification, type Verification } from './open-verification.js';
import { rebuildLedger, type Rebuilt } from './rebuild-ledger.js';
import { Repairs } from './repairs.js';
import { verdictOf, type Found, type Repaired, type VerifyReport } from './report.js';
import { createRereader, type Rereader } from './rereader.js';

export interface VerifyContext {
  readonly log: Logger;
  /** Fires for SIGINT or SIGTERM. */
  readonly stop: AbortSignal;
  /** Fires when the time to end in good order is over. */
  readonly abandon: AbortSignal;
}

/** Seeds are drawn below this. */
const SEEDS = 2 ** 32;

type Ending = Pick<VerifyReport, 'source' | 'sink' | 'state' | 'shard' | 'rebuilt' | 'repair'> & Found;

/**
 * Proves that the index holds what the source holds, and mends it if that is asked for (docs/verify.md). Rejects with the
 * stop signal's reason where that came first. Errors: USAGE, SOURCE, SINK, STATE, MODEL, LEASE.
 */
export async function verifyJob(options: Options, context: VerifyContext): Promise<VerifyReport> {
  const started = performance.now();
  if (options.seed !== undefined && options.sample === undefined) {
    throw new EmbatchError('USAGE', '--seed draws a sample: give --sample with it, the number of rows.');
  }
  const seed = options.seed ?? randomInt(SEEDS);
  const first = await withVerification(options, context, async (verification, rereader) => {
    const rebuilt = options.rebuildLedger ? await rebuild(verification, rereader) : undefined;
    const { found, rowsRemoved } = await lookAndPrepare(verification, rereader, seed);
    return { ...ending(verification, found), rowsRemoved, ...(rebuilt === undefined ? {} : { rebuilt }) };
  });
  const { rowsRemoved, ...found } = first;
  const last =
    rowsRemoved === undefined ? found : await repair(found, { options, context, seed, rowsRemoved });
  const seconds = Number(((performance.now() - started) / 1000).toFixed(1));
  return { ...verdictOf(last), ...last, seconds };
}

function ending({ source, sink, state, rank }: Verification, found: Found): Ending {
  const shard = { index: rank.index, count: rank.count };
  return { source: source.uri, sink: sink.uri, state: state.uri, shard, ...found };
}

/** Opens everything, and closes it in the end, come what may. */
async function withVerification<T>(
  options: Options,
  { log, stop }: VerifyContext,
  work: (verification: Verification, rereader: Rereader) => Promise<T>,
): Promise<T> {
  const closers: (() => Promise<void>)[] = [];
  try {
    const verification = await openVerification(options, { log, signal: stop, closers });
    const rereader = createRereader(verification);
    closers.push(() => rereader.close());
    return await work(verification, rereader);
  } finally {
    for (const close of closers.reverse()) {
      await close().catch((error: unknown) => log.warn(`closing: ${describeError(error)}`));
    }
  }
}

async function rebuild(verification: Verification, { prove }: Rereader): Promise<Rebuilt> {
  const { source, options } = verification;
  const ledger = await openLedgerOf(verification);
  try {
    const rebuilt = await rebuildLedger(verification, {
      ledger,
      prove,
      isSplit: (object) => isSplit(object, source, options.splitBytes),
    });
    await ledger.roll({ signal: verification.signal });
    return rebuilt;
  } finally {
    await ledger.close();
  }
}

interface Prepared {
  readonly found: Found;
  /** Rows that a repair has removed already; undefined where there is nothing to repair. */
  readonly rowsRemoved?: number;
}

/** Looks at everything and, where that is asked for, makes ready what a run must find in order to mend it. */
async function lookAndPrepare(
  verification: Verification,
  rereader: Rereader,
  seed: number,
): Promise<Prepared> {
  const { options } = verification;
  if (!options.repair) return { found: await lookOnce(verification, { rereader, seed }) };
  const repairs = new Repairs(verification);
  try {
    const found = await lookOnce(verification, { rereader, seed, repairs });
    if (found.findingsTotal === 0) return { found };
    return { found, rowsRemoved: await applyRepairs(verification, repairs) };
  } finally {
    await repairs.close();
  }
}

async function applyRepairs(verification: Verification, repairs: Repairs): Promise<number> {
  const { sink, rank, log, signal } = verification;
  const closers: (() => Promise<void>)[] = [];
  try {
    await takeLease(sink, { run: newRunId(), rank, log, signal, closers });
    const ledger = await openLedgerOf(verification);
    closers.push(() => ledger.close());
    return await repairs.apply(ledger);
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

interface RepairContext {
  readonly options: Options;
  readonly context: VerifyContext;
  readonly seed: number;
  readonly rowsRemoved: number;
}

/** Lets a run embed what differs, then looks again. */
async function repair(
  before: Ending,
  { options, context, seed, rowsRemoved }: RepairContext,
): Promise<Ending> {
  const { log, stop, abandon } = context;
  const { objects, findings, findingsTotal } = before;
  log.info(
    `${counted(objects.differing, 'object')} with differences: a run mends them, then all is looked at again`,
  );
  const run = await runJob(repairOptions(options), { mode: 'run', log, stop, abandon, countAhead: false });
  stop.throwIfAborted();
  const repaired: Repaired = { found: { objects, findings, findingsTotal }, rowsRemoved, run };
  const after = await withVerification(options, context, async (verification, rereader) =>
    ending(verification, await lookOnce(verification, { rereader, seed })),
  );
  return { ...after, repair: repaired, ...(before.rebuilt === undefined ? {} : { rebuilt: before.rebuilt }) };
}

/** The keys that were verified, whatever engine started this process. */
function repairOptions(options: Options): Options {
  const isSharded = options.shard !== undefined;
  return { ...options, rankFrom: 'none', shards: isSharded ? options.shards : undefined };
}
