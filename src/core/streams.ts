/**
 * Runs `work` on up to `concurrency` items at once and yields the results in the order of the items. Pulled:
 * an item is taken only while fewer than `concurrency` results wait, so nothing queues up; a result is
 * yielded as soon as it is the oldest and done, even while the source of the items stalls. When the consumer
 * stops, or one piece of work fails, what was started is awaited before anything is thrown.
 */
export async function* mapConcurrent<In, Out>(
  items: AsyncIterable<In> | Iterable<In>,
  concurrency: number,
  work: (item: In) => Promise<Out>,
): AsyncGenerator<Out, void, undefined> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const running: Promise<Out>[] = [];
  let pull: Promise<IteratorResult<In, unknown>> | undefined;
  let exhausted = false;
  try {
    for (;;) {
      if (!exhausted && running.length < concurrency) pull ??= Promise.resolve(iterator.next());
      const oldest = running[0];
      if (pull === undefined && oldest === undefined) return;
      const first = await Promise.race([
        ...(oldest === undefined ? [] : [oldest.then(() => 'result' as const)]),
        ...(pull === undefined ? [] : [pull.then(() => 'item' as const)]),
      ]);
      if (first === 'result') {
        yield await (running.shift() as Promise<Out>);
        continue;
      }
      const next = await (pull as Promise<IteratorResult<In, unknown>>);
      pull = undefined;
      if (next.done === true) {
        exhausted = true;
      } else {
        const result = work(next.value);
        // Awaited in order above; until then a failure must not count as unhandled.
        result.catch(() => undefined);
        running.push(result);
      }
    }
  } finally {
    await Promise.allSettled([pull, ...running]);
    if (!exhausted) await iterator.return?.();
  }
}

/** Resolves after `ms`, or rejects with the signal's reason as soon as it fires. Keeps no listener behind. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * The same items, the first of which was asked for already: whatever keeps the rest from coming is found out by it.
 * Rejects with its error. May be iterated once.
 */
export async function withFirst<T>(items: AsyncIterable<T>): Promise<AsyncIterable<T>> {
  const iterator = items[Symbol.asyncIterator]();
  let first: IteratorResult<T, unknown> | undefined = await iterator.next();
  return {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        const result = first ?? (await iterator.next());
        first = undefined;
        return result;
      },
      return: async () => {
        await iterator.return?.();
        return { value: undefined, done: true };
      },
    }),
  };
}
