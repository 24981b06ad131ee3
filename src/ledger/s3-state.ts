import { EmbatchError } from '../core/errors.js';
import type { S3Location } from '../core/s3.js';
import { explainS3Error, s3ErrorWords } from '../core/s3-errors.js';
import { createS3Prefix } from '../core/s3-prefix.js';
import type { Abortable, StateStore } from '../core/interfaces.js';
import { assertName } from './names.js';

/** State as objects below a prefix. Needs a store that honours `If-None-Match: *` on PutObject, as S3 does. */
export function createS3State(location: S3Location): StateStore {
  const objects = createS3Prefix(location);
  const { uri } = objects;
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

  const checked = (name: string): string => {
    assertName(name);
    return name;
  };

  return {
    uri,

    get: (name, options: Abortable = {}) =>
      guarded('read', options, async () => {
        try {
          return await (await objects.get(checked(name), options))?.transformToByteArray();
        } catch (error) {
          if (explainS3Error(error).kind === 'no-key') return undefined;
          throw error;
        }
      }),

    put: (name, bytes, options: Abortable = {}) =>
      guarded('write', options, () => objects.put(checked(name), bytes, options)),

    putIfAbsent: (name, bytes, options: Abortable = {}) =>
      guarded('write', options, () => objects.create(checked(name), bytes, options)),

    delete: (name, options: Abortable = {}) =>
      guarded('delete', options, () => objects.delete(checked(name), options)),

    list: (prefix, options: Abortable = {}) =>
      guarded('list', options, async () =>
        (await objects.list(prefix, options)).sort((a, b) => (a < b ? -1 : 1)),
      ),

    close: () => objects.close(),
  };
}
