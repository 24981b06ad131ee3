import { exitCodes } from '../../core/exit-codes.js';
import { isBeating } from '../../ledger/heartbeat.js';
import type { ShardReport } from '../../ledger/shard-reports.js';

/** `dead`: it was not heard of any more and left no last word. `stopped`: by a signal, in good order. */
export const shardPhases = [
  'done',
  'dead letters',
  'running',
  'not started',
  'stopped',
  'failed',
  'dead',
] as const;
export type ShardPhase = (typeof shardPhases)[number];

/** How one shard stands. */
export interface ShardStatus {
  readonly shard: number;
  readonly phase: ShardPhase;
  readonly run: string | undefined;
  /** Of its last run, once that has ended. */
  readonly exitCode: number | undefined;
  /** Why it failed. */
  readonly error: string | undefined;
  /** Seconds since it was last heard of, while it has not ended. */
  readonly silentSeconds: number | undefined;
  readonly host: string | undefined;
  /** Objects of this shard in all, where that is known. */
  readonly objects: number | undefined;
  /** Objects whose fate is known, and how many of them failed. */
  readonly settled: number;
  readonly failed: number;
  readonly vectors: number;
  readonly tokens: number;
  readonly seconds: number;
  readonly waitingOn: string | undefined;
}

/**
 * How a shard stands, by what it has stored and nothing else.
 *
 * @param since id of a run: what began no later is of an earlier attempt and does not count
 */
export function judgeShard(
  { shard, start, heartbeat, summary }: ShardReport,
  { since, now = Date.now() }: { readonly since: string | undefined; readonly now?: number },
): ShardStatus {
  const begun = laterOf(start?.['run'], summary?.['run']);
  if (begun === undefined || (since !== undefined && begun <= since)) return notStarted(shard.index);
  if (summary?.['run'] === begun) return ended(shard.index, begun, summary);
  const beat = heartbeat?.['run'] === begun ? heartbeat : undefined;
  // Before its first heartbeat, what it set out with says as much.
  const { time, host, pid } = beat ?? start ?? {};
  const isAtWork =
    typeof time === 'string' && isBeating({ time, host, pid: typeof pid === 'number' ? pid : 0 }, now);
  return {
    shard: shard.index,
    phase: isAtWork ? 'running' : 'dead',
    run: begun,
    exitCode: undefined,
    error: undefined,
    silentSeconds: typeof time === 'string' ? Math.max(0, (now - Date.parse(time)) / 1000) : undefined,
    host: text(host),
    objects: whole(beat?.['total']),
    settled: count(beat?.['settled']),
    failed: count(beat?.['failed']),
    vectors: count(beat?.['written']),
    tokens: count(beat?.['tokens']),
    seconds: count(beat?.['seconds']),
    waitingOn: text(beat?.['waitingOn']),
  };
}

function notStarted(shard: number): ShardStatus {
  const unknown = undefined;
  const known = {
    shard,
    phase: 'not started',
    settled: 0,
    failed: 0,
    vectors: 0,
    tokens: 0,
    seconds: 0,
  } as const;
  return {
    ...known,
    run: unknown,
    exitCode: unknown,
    error: unknown,
    silentSeconds: unknown,
    host: unknown,
    objects: unknown,
    waitingOn: unknown,
  };
}

function ended(shard: number, run: string, summary: Readonly<Record<string, unknown>>): ShardStatus {
  const counts = [record(summary['objects']), record(summary['ranges'])];
  const sum = (name: string): number => counts.reduce((total, each) => total + count(each[name]), 0);
  const exitCode = whole(summary['exitCode']) ?? exitCodes.bug;
  return {
    shard,
    phase: phaseOfExit(exitCode),
    run,
    exitCode,
    error: text(record(summary['error'])['message']),
    silentSeconds: undefined,
    host: undefined,
    objects: sum('mine'),
    settled: sum('unchanged') + sum('embedded') + sum('skipped') + sum('failed'),
    failed: sum('failed'),
    vectors: count(record(summary['vectors'])['written']),
    tokens: count(summary['tokens']),
    seconds: count(summary['seconds']),
    waitingOn: undefined,
  };
}

function phaseOfExit(exitCode: number): ShardPhase {
  if (exitCode === exitCodes.ok) return 'done';
  if (exitCode === exitCodes.deadLetters) return 'dead letters';
  return exitCode === exitCodes.interrupted || exitCode === exitCodes.terminated ? 'stopped' : 'failed';
}

/** Ids of runs are ordered by time. */
function laterOf(a: unknown, b: unknown): string | undefined {
  const [x, y] = [text(a), text(b)];
  if (x === undefined || y === undefined) return x ?? y;
  return x > y ? x : y;
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const whole = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
const count = (value: unknown): number => whole(value) ?? 0;
const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
