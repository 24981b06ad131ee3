import { EmbatchError } from '../core/errors.js';

/**
 * The body of an open object: read once, to the end or until returned. `dispose` frees what the body holds and is
 * called on an early return, also when nothing was read yet (a generator that never started runs no `finally`)
 * and also while a read is under way, which it must end. It must be idempotent.
 */
export function createBody(
  read: () => AsyncGenerator<Uint8Array, void, undefined>,
  dispose: () => Promise<void>,
): AsyncIterable<Uint8Array> {
  let taken = false;
  return {
    [Symbol.asyncIterator]() {
      if (taken) throw new EmbatchError('BUG', 'The body of an object can be read only once.');
      taken = true;
      const chunks = read();
      return {
        next: () => chunks.next(),
        async return() {
          await dispose();
          await chunks.return();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
