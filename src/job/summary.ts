import type { ErrorCode } from '../core/errors.js';
import type { Tally } from './tally.js';

export type RunStatus = 'complete' | 'partial' | 'stopped' | 'failed';

/** What a run ends with: the last thing on stdout with `--json`, and stored in the state (docs/design.md §6). */
export interface RunSummary {
  readonly run: string;
  readonly status: RunStatus;
  readonly exitCode: number;
  readonly shard: { readonly index: number; readonly count: number; readonly from: string };
  readonly objects: Readonly<Tally['objects']>;
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

/** The part of a summary that is counted. */
export function countsOf(tally: Tally, seconds: number) {
  return {
    objects: { ...tally.objects },
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
