import { EmbatchError } from '../core/errors.js';
import type { S3Location } from '../core/s3.js';
import { explainS3Error, s3ErrorWords, transientS3Failures } from '../core/s3-errors.js';
import { createS3Prefix } from '../core/s3-prefix.js';
import { sleep } from '../core/streams.js';
import type { Abortable, StateStore } from '../core/interfaces.js';
import { assertName } from './names.js';

/**
 * How long what may be repeated is, beyond the client's own attempts, which end within seconds and do not cover a body
 * that breaks off: a run of hours must not end for that.
 */
const PATIENCE_MS = 120_000;
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 15_000;

/** State as objects below a prefix. Needs a store that honours `If-None-Match: *` on PutObject, as S3 does. */
export function createS3State(location: S3Location): StateStore {
  const objects = createS3Prefix(location);
  const { uri } = objects;
  /** Something answered once: what is silent now is no wrong address. */
  let reached = false;
  const guarded = async <T>(doing: string, { signal }: Abortable, work: () => Promise<T>): Promise<T> => {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof EmbatchError) throw error;
      throw new EmbatchError('STATE', `Cannot ${doing} the state at ${uri}: ${s3ErrorWords(error)}.`, {
        cause: error,
      });
    }
  };

  const patiently = <T>(doing: string, options: Abortable, work: () => Promise<T>): Promise<T> =>
    guarded(doing, options, async () => {
      const deadline = performance.now() + PATIENCE_MS;
      for (let delay = FIRST_DELAY_MS; ; delay = Math.min(2 * delay, MAX_DELAY_MS)) {
        try {
          const result = await work();
          reached = true;
          return result;
        } catch (error) {
          options.signal?.throwIfAborted();
          const { kind } = explainS3Error(error);
          reached ||= kind !== 'unreachable' && kind !== 'broken';
          if (!reached || !transientS3Failures.has(kind) || performance.now() > deadline) throw error;
          await sleep(delay * (0.5 + Math.random() / 2), options.signal);
        }
      }
    });

  const checked = (name: string): string => {
    assertName(name);
    return name;
  };

  return {
    uri,

    get: (name, options: Abortable = {}) =>
      patiently('read', options, async () => {
        try {
          const body = await objects.get(checked(name), options);
          reached = true;
          return await body?.transformToByteArray();
        } catch (error) {
          if (explainS3Error(error).kind === 'no-key') return undefined;
          throw error;
        }
      }),

    put: (name, bytes, options: Abortable = {}) =>
      patiently('write', options, () => objects.put(checked(name), bytes, options)),

    putIfAbsent: (name, bytes, options: Abortable = {}) =>
      guarded('write', options, () => objects.create(checked(name), bytes, options)),

    delete: (name, options: Abortable = {}) =>
      patiently('delete', options, () => objects.delete(checked(name), options)),

    list: (prefix, options: Abortable = {}) =>
      patiently('list', options, async () =>
        (await objects.list(prefix, options)).sort((a, b) => (a < b ? -1 : 1)),
      ),

    close: () => objects.close(),
  };
}
