import { EmbatchError } from '../../core/errors.js';
import type { Abortable, Logger } from '../../core/interfaces.js';
import { sleep } from '../../core/streams.js';
import { formatDuration } from '../../core/units.js';
import { explainFailure } from './explain.js';
import { RequestFailure, isCertificateProblem, ownTypes, type ServerError } from './failure.js';

/**
 * What to do about a refusal:
 * - `again`: the same once more, after a pause that grows;
 * - `later`: the same, but an operator or half an hour must help first (full disk, write block);
 * - `smaller`: in halves, for it can never pass as it is; one row alone is refused;
 * - `refused`: this row will never be taken;
 * - `fatal`: no row will.
 */
export type Verdict = 'again' | 'later' | 'smaller' | 'refused' | 'fatal';

/** Of a whole request. `refused` means that one of its rows may be at fault (docs/design.md §10). */
export function judgeRequest(failure: RequestFailure): Verdict {
  const { status, type, error, message } = failure;
  if (status === undefined) return isFatalConnection(failure) ? 'fatal' : 'again';
  if (type === 'cluster_block_exception') return 'later';
  if (status === 413) return 'smaller';
  if (status === 429) return neverPasses(error) ? 'smaller' : 'again';
  // The managed service throttles so.
  if (status === 403) return /throttled|too many requests/i.test(message) ? 'again' : 'fatal';
  if (status === 408 || status >= 500) return 'again';
  return status === 400 ? 'refused' : 'fatal';
}

/** Of one row in an answer. */
export function judgeItem(status: number, error: ServerError | undefined): Verdict | 'ok' {
  if (status >= 200 && status < 300) return 'ok';
  const type = error?.type ?? '';
  if (type === 'cluster_block_exception') return 'later';
  if (fatalItemTypes.has(type) || isAboutTheIndex(error)) return 'fatal';
  if (status === 429) return neverPasses(error) ? 'smaller' : 'again';
  if (status >= 500 || status === 408) return 'again';
  return status === 401 || status === 403 ? 'fatal' : 'refused';
}

const fatalItemTypes = new Set(['index_not_found_exception', 'index_closed_exception', 'security_exception']);

/** Refusals with the status of a bad row that every row would get. */
function isAboutTheIndex(error: ServerError | undefined): boolean {
  return /no write index is defined for alias|Document ID is not supported/i.test(error?.reason ?? '');
}

/** 429 for a request that alone is over the limit: indexing pressure and circuit breakers. */
function neverPasses(error: ServerError | undefined): boolean {
  const reason = error?.reason ?? '';
  const operation = /operation_bytes=(\d+)/.exec(reason)?.[1];
  const limit = /max_[a-z_]+_bytes=(\d+)/.exec(reason)?.[1];
  if (operation !== undefined && limit !== undefined) return Number(operation) > Number(limit);
  if (error?.type !== 'circuit_breaking_exception' || error.bytes_limit === undefined) return false;
  const added = /new bytes reserved: \[(\d+)\//.exec(reason)?.[1] ?? error.bytes_wanted;
  return Number(added) > error.bytes_limit;
}

/** TLS and authentication do not mend themselves; a node that is down may. */
function isFatalConnection(failure: RequestFailure): boolean {
  const { type } = failure;
  return (
    type === ownTypes.credentials ||
    type === 'EPROTO' ||
    /^(ERR_SSL|ERR_TLS)/.test(type) ||
    isCertificateProblem(failure)
  );
}

/** Whether a refusal means that the cluster has no room, so that fewer requests at once would help. */
export function isOverload(status: number | undefined, type: string): boolean {
  if (type === 'cluster_block_exception') return false;
  return status === undefined
    ? type === ownTypes.timeout
    : status === 429 || status === 503 || status === 504 || status === 403;
}

/** Whether the request may have been carried out all the same: the answer was lost, or a proxy gave up waiting. */
export function mayBeDone({ status }: RequestFailure): boolean {
  return status === undefined || status === 408 || status >= 500;
}

/** Whether it may be the size of the request, though nobody says so: a full node, or one that hangs up or is silent. */
export function mayBeTooLarge({ status, type }: RequestFailure): boolean {
  return status === 429 || type === ownTypes.timeout || type === 'ECONNRESET' || type === 'EPIPE';
}

// ── Pauses ───────────────────────────────────────────────────────────────────────────────────────────

export interface Pauses {
  /** First wait after `again` and after `later`; both double. */
  readonly retryMs: number;
  readonly blockedMs: number;
}

const LONGEST_PAUSE_FACTOR = 128;
const LONGEST_BLOCKED_FACTOR = 6;

/**
 * Wait before try `attempt + 1`: anything up to a bound that doubles, at random, so that what was refused together
 * does not return together (full jitter). Where the answer named a time (`Retry-After`), never before it.
 */
export function pauseMs(
  verdict: 'again' | 'later',
  attempt: number,
  pauses: Pauses,
  retryAfterMs: number | undefined,
  random: () => number = Math.random,
): number {
  const base = verdict === 'again' ? pauses.retryMs : pauses.blockedMs;
  const longest = verdict === 'again' ? LONGEST_PAUSE_FACTOR : LONGEST_BLOCKED_FACTOR;
  const bound = base * Math.min(2 ** (attempt - 1), longest);
  const chance = random();
  return Math.max(bound * chance, (retryAfterMs ?? 0) + base * chance);
}

// ── Requests other than bulk ─────────────────────────────────────────────────────────────────────────

export interface RetryOptions extends Abortable {
  readonly uri: string;
  readonly pauses: Pauses;
  readonly patienceMs: number;
  readonly log: Logger;
  /** Nothing has answered yet: a refused connection or an unknown host is a mistake, not an outage. */
  isFirstContact(): boolean;
}

/** Repeats `work` while the cluster's refusals are temporary. Other refusals are thrown as they are. */
export async function retrying<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const deadline = performance.now() + options.patienceMs;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RequestFailure)) throw error;
      const verdict = judgeRequest(error);
      if (verdict !== 'again' && verdict !== 'later') throw error;
      if (options.isFirstContact() && error.status === undefined) throw error;
      const left = deadline - performance.now();
      if (left <= 0) throw gaveUp(options.uri, options.patienceMs, error);
      options.log.debug('the cluster refused for now; trying again', { attempt, reason: error.message });
      await sleep(
        Math.min(left, pauseMs(verdict, attempt, options.pauses, error.retryAfterMs)),
        options.signal,
      );
    }
  }
}

/** The end of the patience, with what the cluster said last. */
export function gaveUp(uri: string, patienceMs: number, last: RequestFailure): EmbatchError {
  const words =
    last.status === undefined
      ? explainFailure(last, uri).message
      : `${uri} last said ${last.status} ${last.message}`;
  return new EmbatchError(
    'SINK',
    `The sink accepted nothing for ${formatDuration(patienceMs)} (--sink-patience). ${words}. ` +
      'What was accepted is kept: the same command takes the rest up again.',
    { retryable: true },
  );
}
