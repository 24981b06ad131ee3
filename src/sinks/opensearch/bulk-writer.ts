import { setMaxListeners } from 'node:events';
import type { EmbatchError } from '../../core/errors.js';
import type { Abortable, Logger } from '../../core/interfaces.js';
import { itemsOf, type BulkAnswer, type BulkItem } from './bulk-answer.js';
import type { ByteLimiter, RequestOutcome } from './byte-limiter.js';
import { systemClock, type Clock } from './clock.js';
import { cut, halves } from './cut.js';
import { explainFailure, indexLost } from './explain.js';
import { RequestFailure, serverWords } from './failure.js';
import type { Line } from './ndjson.js';
import {
  gaveUp,
  isOverload,
  judgeItem,
  judgeRequest,
  mayBeDone,
  mayBeTooLarge,
  pauseMs,
  type Pauses,
  type Verdict,
} from './retry.js';
import { allSettled, either } from './settling.js';

/** What became of a line; `status` is that of its item, or of the request where that was refused as a whole. */
export type LineOutcome =
  | {
      readonly ok: true;
      readonly attempts: number;
      /** An earlier try brought no answer, so that it may have been carried out, too. */
      readonly unclear: boolean;
    }
  | {
      readonly ok: false;
      readonly attempts: number;
      readonly status: number | undefined;
      readonly reason: string;
    };

export interface BulkWriterOptions {
  readonly uri: string;
  /** Sends one bulk body. Error: RequestFailure. */
  send(body: Buffer, options: { signal: AbortSignal }): Promise<BulkAnswer>;
  readonly limiter: ByteLimiter;
  readonly maxBytes: number;
  readonly maxRows: number;
  readonly pauses: Pauses;
  readonly patienceMs: number;
  readonly log: Logger;
  readonly clock?: Clock;
}

export interface BulkWriter {
  /** One outcome per line, in order. Error: SINK; from then on every call fails with it. */
  write(lines: readonly Line[], options?: Abortable): Promise<LineOutcome[]>;
}

/** A line on its way, and where its outcome goes. */
interface Pending {
  readonly line: Line;
  attempts: number;
  unclear: boolean;
  settle(outcome: LineOutcome): void;
}

/** What is left of a request after its answer. */
interface Leftover {
  readonly rows: Pending[];
  /** They cannot pass, or hardly, together. */
  readonly inHalves: boolean;
  readonly pause: 'none' | 'again' | 'later';
  readonly failure: RequestFailure;
}

/** So many times a request is sent as it is, before it is tried in halves. */
const TRIES_UNCUT = 5;
/** Neither 413 nor a low limit makes requests smaller than this by itself: below, it is not the size that hurts. */
const SMALLEST_CUT_BYTES = 64 * 1024;

export function createBulkWriter(options: BulkWriterOptions): BulkWriter {
  const { uri, limiter, log, clock = systemClock } = options;
  /** Fires with the error that ended this sink, and ends every wait. */
  const halt = new AbortController();
  // Every write listens, and every wait of a write: many, but no leak.
  setMaxListeners(0, halt.signal);
  let maxBytes = options.maxBytes;
  let writing = 0;
  let lastProgress = clock.now();
  let accepted = 0;
  /** Bytes of the largest request that was answered row by row. */
  let largestTaken = 0;
  /** The cluster named a time (`Retry-After`) before which nothing at all is sent. */
  let quietUntil = -Infinity;
  /** The warning about a block was logged, and not yet that it is over. */
  let warned = false;

  async function write(lines: readonly Line[], { signal }: Abortable = {}): Promise<LineOutcome[]> {
    signal?.throwIfAborted();
    halt.signal.throwIfAborted();
    // Patience counts time of asking; between writes nothing was asked.
    if (writing === 0) lastProgress = clock.now();
    const outcomes = new Array<LineOutcome>(lines.length);
    const pending = lines.map((line, index): Pending => ({
      line,
      attempts: 0,
      unclear: false,
      settle: (outcome) => (outcomes[index] = outcome),
    }));
    const ended = either(halt.signal, signal);
    writing++;
    try {
      await deliverAll(cutNow(pending), 0, ended.signal);
      return outcomes;
    } finally {
      writing--;
      ended.release();
    }
  }

  function cutNow(rows: readonly Pending[]): Pending[][] {
    const bytes = Math.min(maxBytes, Math.max(limiter.limit, SMALLEST_CUT_BYTES));
    return cut(rows, bytes, options.maxRows);
  }

  async function deliverAll(batches: Pending[][], pauses: number, signal: AbortSignal): Promise<void> {
    await allSettled(batches.map((batch) => deliver(batch, pauses, signal)));
  }

  /** Sends until every row is settled; `pauses` counts those that went before. */
  async function deliver(batch: Pending[], pauses: number, signal: AbortSignal): Promise<void> {
    let waiting = batch;
    let pausesSoFar = pauses;
    for (let tries = 1; ; tries++) {
      const left = await request(waiting, signal);
      if (left === undefined) return;
      if (left.pause !== 'none') await wait(left.pause, ++pausesSoFar, left.failure, signal);
      const stuck =
        tries >= TRIES_UNCUT && left.rows.length === waiting.length && mayBeTooLarge(left.failure);
      waiting = left.rows;
      if (left.inHalves || stuck) {
        if (waiting.length > 1) return deliverAll(halves(waiting), pausesSoFar, signal);
        continue;
      }
      // After an overload less may be under way than this request is large.
      const pieces = cutNow(waiting);
      if (pieces.length > 1) return deliverAll(pieces, pausesSoFar, signal);
    }
  }

  async function request(batch: Pending[], signal: AbortSignal): Promise<Leftover | undefined> {
    const bytes = batch.reduce((sum, { line }) => sum + line.bytes.length, 0);
    const permit = await limiter.acquire(bytes, signal);
    let outcome: RequestOutcome = 'unclear';
    let sent = clock.now();
    try {
      // Another request was told to wait since this one queued up.
      for (let rest = quietUntil - clock.now(); rest > 0; rest = quietUntil - clock.now()) {
        await clock.sleep(rest, signal);
      }
      for (const row of batch) row.attempts++;
      sent = clock.now();
      const body = Buffer.concat(batch.map(({ line }) => line.bytes));
      const items = itemsOf(
        await options.send(body, { signal }),
        batch.map(({ line }) => line),
      );
      largestTaken = Math.max(largestTaken, bytes);
      outcome = items.some((item) => isOverload(item.status, item.error?.type ?? ''))
        ? 'overloaded'
        : 'taken';
      return sortItems(batch, items);
    } catch (error) {
      if (!(error instanceof RequestFailure)) throw error;
      if (isOverload(error.status, error.type)) outcome = 'overloaded';
      if (mayBeDone(error)) for (const row of batch) row.unclear = true;
      return sortFailure(batch, bytes, error);
    } finally {
      permit.release(outcome, clock.now() - sent);
    }
  }

  function sortItems(batch: Pending[], items: readonly BulkItem[]): Leftover | undefined {
    const rows: Pending[] = [];
    let inHalves = false;
    let pause: Leftover['pause'] = 'none';
    let failure: RequestFailure | undefined;
    for (const [index, row] of batch.entries()) {
      const { status, error } = items[index] as BulkItem;
      const verdict = judgeItem(status, error);
      if (verdict === 'ok') {
        accepted++;
        settle(row, { ok: true, attempts: row.attempts, unclear: row.unclear });
        continue;
      }
      const refusal = new RequestFailure(error?.type ?? '', serverWords(error), { status, error });
      if (verdict === 'fatal') throw end(refusal);
      if (verdict === 'refused' || (verdict === 'smaller' && batch.length === 1)) {
        refuse(row, refusal);
        continue;
      }
      rows.push(row);
      inHalves ||= verdict === 'smaller';
      if (verdict === 'later' || (verdict === 'again' && pause === 'none')) pause = verdict;
      if (failure === undefined || verdict === 'later') failure = refusal;
    }
    return failure === undefined ? undefined : { rows, inHalves, pause, failure };
  }

  function sortFailure(batch: Pending[], bytes: number, failure: RequestFailure): Leftover | undefined {
    let verdict: Verdict = judgeRequest(failure);
    // A request may be refused for one of its rows; where nothing was ever accepted, it is for all of them.
    if (verdict === 'refused') verdict = accepted > 0 ? 'smaller' : 'fatal';
    if (verdict === 'fatal') throw end(failure);
    if (verdict !== 'smaller') {
      const inHalves = failure.type === 'circuit_breaking_exception';
      return { rows: batch, inHalves, pause: verdict, failure };
    }
    const [first, ...others] = batch;
    if (first !== undefined && others.length === 0) {
      refuse(first, failure);
      return undefined;
    }
    if (failure.status === 413) learnSize(bytes);
    return { rows: batch, inHalves: true, pause: 'none', failure };
  }

  function learnSize(refusedBytes: number): void {
    // A single row may have been too large for its neighbours: what was taken once is no size to shrink below.
    const learnt = Math.max(Math.ceil(refusedBytes / 2), SMALLEST_CUT_BYTES, largestTaken);
    if (learnt >= maxBytes) return;
    maxBytes = learnt;
    log.info(
      'the cluster takes smaller requests than configured; bulk requests are cut smaller from now on',
      {
        refusedBytes,
        maxBytes,
      },
    );
  }

  async function wait(
    verdict: 'again' | 'later',
    attempt: number,
    failure: RequestFailure,
    signal: AbortSignal,
  ): Promise<void> {
    const words = `${failure.status ?? failure.type} ${failure.message}`;
    if (verdict === 'later' && !warned) {
      warned = true;
      log.warn(
        `${uri} is blocked for writing; waiting for it to be lifted (a full disk needs space): ${words}`,
      );
    } else {
      log.debug('bulk rows are sent again after a pause', { attempt, reason: words });
    }
    const left = lastProgress + options.patienceMs - clock.now();
    if (left <= 0) throw halted(gaveUp(uri, options.patienceMs, failure));
    const { retryAfterMs } = failure;
    if (retryAfterMs !== undefined) {
      quietUntil = Math.max(quietUntil, clock.now() + Math.min(left, retryAfterMs));
    }
    const pause = pauseMs(verdict, attempt, options.pauses, retryAfterMs, () => clock.random());
    await clock.sleep(Math.min(left, pause), signal);
  }

  function settle(row: Pending, outcome: LineOutcome): void {
    lastProgress = clock.now();
    if (outcome.ok && warned) {
      warned = false;
      log.info(`${uri} accepts writes again`);
    }
    row.settle(outcome);
  }

  function refuse(row: Pending, { status, type, message }: RequestFailure): void {
    const size =
      status === 413 || status === 429 ? ` (the row alone has ${row.line.bytes.length} bytes)` : '';
    const words = message === '' ? type : message;
    const reason = `${status ?? ''} ${words}${size}`.trim();
    settle(row, { ok: false, attempts: row.attempts, status, reason });
  }

  function end(failure: RequestFailure): EmbatchError {
    const lost = failure.type === 'index_not_found_exception';
    return halted(lost ? indexLost(uri) : explainFailure(failure, uri));
  }

  function halted(error: EmbatchError): EmbatchError {
    halt.abort(error);
    return error;
  }

  return { write };
}
