import { setMaxListeners } from 'node:events';

/** Waits for all, then throws the first failure. */
export async function allSettled(work: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** Fires with either; `release` leaves no listener behind (AbortSignal.any keeps them on some Node 20). */
export function either(
  first: AbortSignal,
  second: AbortSignal | undefined,
): { signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  const stops = [first, ...(second === undefined ? [] : [second])].map((signal) => {
    const onAbort = (): void => {
      controller.abort(signal.reason);
    };
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    return () => {
      signal.removeEventListener('abort', onAbort);
    };
  });
  return {
    signal: controller.signal,
    release() {
      for (const stop of stops) stop();
    },
  };
}
