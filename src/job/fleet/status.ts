import { EmbatchError } from '../../core/errors.js';
import { exitCodes } from '../../core/exit-codes.js';
import type { Abortable, StateStore } from '../../core/interfaces.js';
import { readShardReports, type ShardReport } from '../../ledger/shard-reports.js';
import { judgeShard, shardPhases, type ShardPhase, type ShardStatus } from './judge-shard.js';
import { latestSubmission, type Submission } from './submissions.js';

/** How a whole fleet stands. */
export interface FleetStatus {
  readonly status: 'complete' | 'partial' | 'running' | 'lost';
  readonly exitCode: number;
  readonly state: string;
  readonly source: string | undefined;
  readonly sourceId: string | undefined;
  /** False where the shards were told to keep what is left over. */
  readonly removes: boolean;
  readonly sink: string | undefined;
  /** The fleet's name in its engine, where `submit` has started it. */
  readonly job: string | undefined;
  readonly engine: string | undefined;
  readonly count: number;
  readonly phases: Readonly<Record<ShardPhase, number>>;
  readonly objects: { readonly total: number | undefined; readonly settled: number; readonly failed: number };
  readonly vectors: number;
  readonly tokens: number;
  /** Of the shards that are at work. */
  readonly tokensPerSecond: number;
  /** Until the last shard that is at work ends, as far as that can be told. */
  readonly secondsLeft: number | undefined;
  readonly shards: readonly ShardStatus[];
}

const NOBODY = Object.fromEntries(shardPhases.map((phase) => [phase, 0])) as Record<ShardPhase, number>;

export interface StatusOptions extends Abortable {
  /** This fleet, and none that was started since; by default the one that was started last. */
  readonly submission?: Submission;
}

/** What the state says of the fleet that was started last. Errors: STATE; USAGE where nothing was ever started. */
export async function fleetStatus(
  store: StateStore,
  { submission: wanted, ...options }: StatusOptions = {},
): Promise<FleetStatus> {
  const [submission, all] = await Promise.all([
    wanted ?? latestSubmission(store, undefined, options),
    readShardReports(store, options),
  ]);
  const reports = wanted === undefined ? all : all.filter((report) => isOfJob(report, wanted));
  const fleet = currentFleet(submission, reports, wanted !== undefined);
  if (fleet === undefined) {
    throw new EmbatchError(
      'USAGE',
      `${store.uri} has no shard of any run: give the --state that the shards were given.`,
    );
  }
  const { count, since, own, token } = fleet;
  const isOwn = own && submission !== undefined;
  const shards = Array.from({ length: count }, (_, index) =>
    retriedWell(
      judgeShard(
        reports.find(
          (report) =>
            report.shard.index === index && report.shard.count === count && isOfStart(token, report),
        ) ?? {
          shard: { index, count },
          start: undefined,
          heartbeat: undefined,
          summary: undefined,
          retry: undefined,
        },
        { since },
      ),
      count,
      reports,
    ),
  );
  return {
    ...summed(shards),
    ...named(reports, count),
    state: store.uri,
    count,
    job: isOwn ? submission.name : undefined,
    engine: isOwn ? submission.engine : undefined,
    shards,
  };
}

/** A state may be shared by several jobs. */
function isOfJob({ start, summary }: ShardReport, { source, sink }: Submission): boolean {
  const own = start ?? summary;
  return own?.['source'] === source && own['sink'] === sink;
}

/** The fleet that was started last: by `submit`, or by somebody who started shards in another way. */
function currentFleet(
  submission: Submission | undefined,
  reports: readonly ShardReport[],
  isWanted: boolean,
): { count: number; since: string | undefined; own: boolean; token: unknown } | undefined {
  const newest = newestReport(reports);
  const newestRun = newest === undefined ? '' : runOf(newest);
  if (submission !== undefined) {
    const isSince = submission.since === undefined || newestRun > submission.since;
    if (isWanted || !isSince || newest?.shard.count === submission.shards) {
      return { count: submission.shards, since: submission.since, own: true, token: undefined };
    }
  }
  if (newest === undefined) return undefined;
  return { count: newest.shard.count, since: undefined, own: false, token: newest.start?.['fleet'] };
}

/** Shards of another start than the newest have not begun in this one, as far as their engine tells starts apart. */
const isOfStart = (token: unknown, { start }: ShardReport): boolean =>
  token === undefined || start === undefined || start['fleet'] === token;

/** A retry that ended well has done what was left: its own shard's, or all of it. */
function retriedWell(status: ShardStatus, count: number, reports: readonly ShardReport[]): ShardStatus {
  if (status.phase !== 'dead letters') return status;
  const isMended = reports.some(
    ({ shard, retry }) =>
      (shard.count === 1 || (shard.count === count && shard.index === status.shard)) &&
      retry?.['exitCode'] === exitCodes.ok &&
      String(retry['run']) > (status.run ?? ''),
  );
  return isMended ? { ...status, phase: 'done', failed: 0, exitCode: exitCodes.ok } : status;
}

function newestReport(reports: readonly ShardReport[]): ShardReport | undefined {
  return reports.reduce<ShardReport | undefined>(
    (newest, report) => (newest === undefined || runOf(report) > runOf(newest) ? report : newest),
    undefined,
  );
}

/** The latest run of a shard; ids of runs are ordered by time. */
export function runOf({ start, summary }: ShardReport): string {
  const runs = [start?.['run'], summary?.['run']].filter((run) => typeof run === 'string');
  return runs.sort().at(-1) ?? '';
}

function named(reports: readonly ShardReport[], count: number) {
  const start = newestReport(reports.filter(({ shard }) => shard.count === count))?.start;
  const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  return {
    source: textOf(start?.['source']),
    sourceId: textOf(start?.['sourceId']),
    removes: start?.['removes'] !== false,
    sink: textOf(start?.['sink']),
  };
}

function summed(shards: readonly ShardStatus[]) {
  const phases = { ...NOBODY };
  for (const { phase } of shards) phases[phase] += 1;
  const working = shards.filter(({ phase }) => phase === 'running');
  const total = sum(shards, ({ objects }) => objects ?? NaN);
  const left = Math.max(0, ...working.map(secondsLeftOf));
  return {
    ...verdict(phases, shards.length),
    phases,
    objects: {
      total: Number.isNaN(total) ? undefined : total,
      settled: sum(shards, ({ settled }) => settled),
      failed: sum(shards, ({ failed }) => failed),
    },
    vectors: sum(shards, ({ vectors }) => vectors),
    tokens: sum(shards, ({ tokens }) => tokens),
    tokensPerSecond: Math.round(sum(working, ({ tokens, seconds }) => (seconds > 0 ? tokens / seconds : 0))),
    secondsLeft: working.length === 0 || !Number.isFinite(left) ? undefined : Math.round(left),
  };
}

/** As if the rest took as long, object by object, as what is done. NaN where the end is not known. */
function secondsLeftOf({ objects = NaN, settled, seconds }: ShardStatus): number {
  return settled === 0 ? NaN : ((objects - settled) * seconds) / settled;
}

/** What needs somebody comes first. */
function verdict(
  phases: Readonly<Record<ShardPhase, number>>,
  count: number,
): Pick<FleetStatus, 'status' | 'exitCode'> {
  if (phases.done === count) return { status: 'complete', exitCode: exitCodes.ok };
  if (phases.done + phases['dead letters'] === count)
    return { status: 'partial', exitCode: exitCodes.deadLetters };
  const isLost = phases.dead + phases.failed + phases.stopped + phases['not started'] > 0;
  return isLost
    ? { status: 'lost', exitCode: exitCodes.shardLost }
    : { status: 'running', exitCode: exitCodes.running };
}

const sum = (shards: readonly ShardStatus[], of: (shard: ShardStatus) => number): number =>
  shards.reduce((total, shard) => total + of(shard), 0);
