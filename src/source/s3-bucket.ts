import type { S3Client } from '@aws-sdk/client-s3';
import type { Abortable, Logger } from '../core/interfaces.js';
import { createS3Client } from '../core/s3.js';
import { explainS3Error, transientS3Failures, type S3Failure } from '../core/s3-errors.js';
import { sleep } from '../core/streams.js';
import { formatDuration } from '../core/units.js';

/**
 * How long a request is repeated beyond the client's own attempts, which end within seconds, and at once when many
 * requests are throttled together: they share one quota.
 */
export interface Patience {
  readonly totalMs: number;
  /** Pauses grow from here to `maxDelayMs`, doubling, each drawn between half of it and all. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

const PATIENCE: Patience = { totalMs: 5 * 60_000, firstDelayMs: 1_000, maxDelayMs: 30_000 };

export interface BucketOptions {
  readonly anonymous?: boolean | undefined;
  readonly log: Logger;
  readonly patience?: Partial<Patience> | undefined;
  readonly maxAttempts?: number | undefined;
  readonly socketTimeoutMs?: number | undefined;
  /** Keys of a page of the listing; S3's own default, and most, is 1,000. */
  readonly pageSize?: number | undefined;
}

/** One bucket and the way requests are sent to it. */
export interface Bucket {
  readonly name: string;
  readonly pageSize: number | undefined;
  /**
   * Sends a request with patience: `call` is given the client and its send options, as often as needed. Rejects
   * with the client's own error, or with the signal's reason.
   */
  send<Result>(
    call: (client: S3Client, options: { abortSignal?: AbortSignal }) => Promise<Result>,
    options?: Abortable,
  ): Promise<Result>;
  /** A jittered pause before attempt `attempt` (from 1) to go on after a failure. */
  pause(attempt: number, options?: Abortable): Promise<void>;
  close(): void;
}

/** Error: USAGE for an environment that makes no sense. Sends nothing yet. */
export async function openBucket(name: string, options: BucketOptions): Promise<Bucket> {
  const client = await createS3Client({
    anonymous: options.anonymous ?? false,
    ...(options.maxAttempts === undefined ? {} : { maxAttempts: options.maxAttempts }),
    ...(options.socketTimeoutMs === undefined ? {} : { socketTimeoutMs: options.socketTimeoutMs }),
  });
  const patience: Patience = { ...PATIENCE, ...options.patience };
  let reached = false;

  const send: Bucket['send'] = async (call, { signal } = {}) => {
    const sendOptions = signal === undefined ? {} : { abortSignal: signal };
    const deadline = performance.now() + patience.totalMs;
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      try {
        const result = await call(client, sendOptions);
        reached = true;
        return result;
      } catch (error) {
        signal?.throwIfAborted();
        const failure = explainS3Error(error);
        reached ||= isAnswer(failure);
        const delay = delayMs(attempt, patience);
        // A host that never answered is more likely a wrong address than an outage: say so soon.
        const worthwhile = transientS3Failures.has(failure.kind) && (reached || isAnswer(failure));
        if (!worthwhile || performance.now() + delay > deadline) throw error;
        options.log.warn(`s3://${name}: ${failure.reason}; trying again in ${formatDuration(delay)}.`);
        await sleep(delay, signal);
      }
    }
  };

  return {
    name,
    pageSize: options.pageSize,
    send,
    pause: (attempt, { signal } = {}) => sleep(delayMs(attempt, patience), signal),
    close() {
      client.destroy();
    },
  };
}

function isAnswer({ kind }: S3Failure): boolean {
  return kind !== 'unreachable' && kind !== 'broken';
}

function delayMs(attempt: number, { firstDelayMs, maxDelayMs }: Patience): number {
  const full = Math.min(firstDelayMs * 2 ** (attempt - 1), maxDelayMs);
  return (full / 2) * (1 + Math.random());
}
