import { describeError, isEmbatchError, type ErrorCode } from '../core/errors.js';
import { exitCodeOf, exitCodes } from '../core/exit-codes.js';
import type { StateStore } from '../core/interfaces.js';
import type { Rank } from '../shard/rank.js';
import { hasFailures, type Tally } from './tally.js';

export type RunStatus = 'complete' | 'partial' | 'stopped' | 'failed';

/** What a run ends with: the last thing on stdout with `--json`, and stored in the state (docs/design.md §6). */
export interface RunSummary {
  readonly run: string;
  readonly status: RunStatus;
  readonly exitCode: number;
  readonly shard: { readonly index: number; readonly count: number; readonly from: string };
  readonly objects: Readonly<Tally['objects']>;
  /** Ranges of objects that are shared out over shards, but the first of each, which is counted as the object. */
  readonly ranges: Readonly<Tally['ranges']>;
  readonly documents: number;
  readonly chunks: number;
  readonly tokens: number;
  readonly truncatedTokens: number;
  readonly vectors: Readonly<Tally['vectors']>;
  readonly seconds: number;
  readonly tokensPerSecond: number;
  readonly fingerprint: string | null;
  readonly source: string;
  readonly sink: string;
  readonly state: string | null;
  /** Where the dead letters of this run lie; null where there are none. */
  readonly deadLetters: string | null;
  /** Objects left out, by reason. */
  readonly skippedBy: Readonly<Record<string, number>>;
  readonly emptyRecords: number;
  /** Records by where their text and id came from. */
  readonly recordsBy: Readonly<Record<string, number>>;
  /** Replacement characters that stand for bytes invalid in their encoding. */
  readonly invalidBytes: number;
  readonly error?: { readonly code: ErrorCode; readonly message: string };
}

/** What is known of the run so far: on a failure, the summary says what there is. */
export interface Known {
  rank: Rank;
  fingerprint: string | null;
  sink: string;
  state: StateStore | undefined;
  deadLetters: string | null;
}

interface Ending {
  readonly run: string;
  readonly source: string;
  readonly tally: Tally;
  readonly known: Known;
  readonly failure: unknown;
  readonly stop: AbortSignal;
  readonly seconds: number;
}

export function summarise({ run, source, tally, known, failure, stop, seconds }: Ending): RunSummary {
  const [status, exitCode] = ending(failure, tally, stop);
  return {
    run,
    status,
    exitCode,
    shard: { index: known.rank.index, count: known.rank.count, from: known.rank.from },
    ...countsOf(tally, seconds),
    fingerprint: known.fingerprint,
    source,
    sink: known.sink,
    state: known.state?.uri ?? null,
    deadLetters: known.deadLetters,
    ...(status === 'failed' ? { error: describeFailure(failure) } : {}),
  };
}
/** What `error` holds in a summary. */
export function describeFailure(failure: unknown): { readonly code: ErrorCode; readonly message: string } {
  const message = describeError(failure);
  if (isEmbatchError(failure)) return { code: failure.code, message };
  return {
    code: 'BUG',
    message: `this is a bug of embatch: ${message}; --log-level debug shows where it is.`,
  };
}

function ending(failure: unknown, tally: Tally, stop: AbortSignal): [RunStatus, number] {
  // What was given up because of the stop is no failure; a sink that broke meanwhile is.
  if (stop.aborted && (failure === undefined || !isEmbatchError(failure))) {
    return ['stopped', stop.reason === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated];
  }
  if (failure !== undefined) return ['failed', exitCodeOf(failure)];
  return hasFailures(tally) ? ['partial', exitCodes.deadLetters] : ['complete', exitCodes.ok];
}

/** The part of a summary that is counted. */
function countsOf(tally: Tally, seconds: number) {
  return {
    objects: { ...tally.objects },
    ranges: { ...tally.ranges },
    documents: tally.documents,
    chunks: tally.chunks,
    tokens: tally.tokens,
    truncatedTokens: tally.truncatedTokens,
    vectors: { ...tally.vectors },
    seconds: Number(seconds.toFixed(1)),
    tokensPerSecond: seconds > 0 ? Math.round(tally.tokens / seconds) : 0,
    skippedBy: Object.fromEntries(tally.skipped),
    emptyRecords: tally.emptyRecords,
    recordsBy: Object.fromEntries(tally.mappings),
    invalidBytes: tally.invalidBytes,
  };
}
