import { Piscina } from 'piscina';
import { EmbatchError, describeError, type ErrorCode } from '../core/errors.js';
import { sleep } from '../core/streams.js';

/** What crosses the thread boundary: an error of ours would lose its code there. */
export type WorkerAnswer<Out> =
  | { readonly ok: true; readonly value: Out }
  | { readonly ok: false; readonly code: 'CANCELLED' }
  | {
      readonly ok: false;
      readonly code: ErrorCode;
      readonly message: string;
      readonly stack: string | undefined;
    };

/** Work that was given up between two batches because the pool was cancelled. */
export class CancelledError extends Error {
  override readonly name = 'CancelledError';
}

/** Shared with every worker; the only way to stop one, because a worker must never be terminated at work. */
export interface WorkerControl {
  /** [0] is 1 once work should stop. */
  readonly cancelled: Int32Array;
  /** [0] counts the workers that have loaded their module; each adds itself. */
  readonly loaded: Int32Array;
  /** [0] counts tokens embedded so far, over all workers. */
  readonly tokens: BigInt64Array;
}

export interface WorkerData<Settings> {
  readonly control: WorkerControl;
  readonly settings: Settings;
}

export interface PoolOptions<Settings> {
  /** Module whose default export takes a task and gives a {@link WorkerAnswer}. */
  readonly file: URL;
  /** Plain data for every worker. */
  readonly settings: Settings;
  readonly workers: number;
}

export interface WorkerPool<Task, Out> {
  readonly workers: number;
  readonly control: WorkerControl;
  /** Tasks given and not yet answered. */
  readonly pending: number;
  /** Tasks wait in a queue: the caller bounds how many it gives. Errors keep their code. */
  run(task: Task, transfer?: readonly ArrayBuffer[]): Promise<Out>;
  /** Asks all tasks to stop at their next batch; they reject with a {@link CancelledError}. */
  cancel(): void;
  /** Waits for everything that runs, then ends the workers. Idempotent. */
  close(): Promise<void>;
}

/** How long a worker may take to load its module before it is ended all the same. */
const MAX_LOAD_MS = 30_000;
const LOAD_POLL_MS = 10;

/**
 * A fixed set of worker threads. Three rules keep the process alive (docs/decisions/worker-lifetime.md): no
 * abort signal ever reaches Piscina, since terminating a thread inside a model call aborts the process; `close`
 * waits for all runs itself, since Piscina's own may resolve early and terminate busy workers; and it waits until
 * every worker has loaded its module, since one that ends while a native library loads aborts the process, too.
 */
export function createPool<Task, Out, Settings>(options: PoolOptions<Settings>): WorkerPool<Task, Out> {
  const control: WorkerControl = {
    cancelled: new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)),
    loaded: new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)),
    tokens: new BigInt64Array(new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT)),
  };
  const piscina = new Piscina<Task, WorkerAnswer<Out>>({
    filename: options.file.href,
    minThreads: options.workers,
    maxThreads: options.workers,
    workerData: { control, settings: options.settings } satisfies WorkerData<Settings>,
    recordTiming: false,
  });
  let broken = false;
  // A worker that cannot start reports here and not only to the run: without a listener it would be uncaught.
  piscina.on('error', () => {
    broken = true;
  });
  const running = new Set<Promise<unknown>>();
  let closing: Promise<void> | undefined;

  const run = async (task: Task, transfer: readonly ArrayBuffer[] = []): Promise<Out> => {
    let answer: WorkerAnswer<Out>;
    try {
      answer = await piscina.run(task, { transferList: [...transfer] });
    } catch (error) {
      throw new EmbatchError('BUG', `a worker thread failed: ${describeError(error)}`, { cause: error });
    }
    if (answer.ok) return answer.value;
    if (answer.code === 'CANCELLED') throw new CancelledError('cancelled');
    throw new EmbatchError(answer.code, answer.message, { cause: answer.stack });
  };

  const end = async (): Promise<void> => {
    await Promise.allSettled(running);
    const isLoading = (): boolean => !broken && Atomics.load(control.loaded, 0) < options.workers;
    for (let waited = 0; isLoading() && waited < MAX_LOAD_MS; waited += LOAD_POLL_MS) {
      await sleep(LOAD_POLL_MS);
    }
    await piscina.close({ force: false });
  };

  return {
    workers: options.workers,
    control,
    get pending() {
      return running.size;
    },
    run(task, transfer) {
      const result = run(task, transfer);
      running.add(result);
      const forget = (): void => void running.delete(result);
      result.then(forget, forget);
      return result;
    },
    cancel() {
      Atomics.store(control.cancelled, 0, 1);
    },
    close() {
      closing ??= end();
      return closing;
    },
  };
}
