import type { S3Location } from '../../core/s3.js';
import { s3ErrorWords } from '../../core/s3-errors.js';
import { createS3Prefix } from '../../core/s3-prefix.js';
import type { Appender, Place } from './place.js';

/** Objects below a prefix. What is appended becomes one object for each write: an object cannot grow. */
export function createS3Place(location: S3Location): Place {
  const objects = createS3Prefix(location);
  return {
    uri: objects.uri,
    list: (options = {}) => objects.list('', { ...options, delimiter: '/' }),

    async *read(name, options) {
      const body = await objects.get(name, options);
      if (body !== undefined) yield* body as AsyncIterable<Uint8Array>;
    },

    create: (name, bytes, options) => objects.create(name, bytes, options),

    async replace(name, pieces, options) {
      const all: Uint8Array[] = [];
      // As large as one write was: nothing else makes objects here.
      for await (const piece of pieces) all.push(piece);
      await objects.put(name, Buffer.concat(all), options);
    },

    remove: (name, options) => objects.delete(name, options),

    append: (nextName): Appender => ({
      async write(bytes, options) {
        while (!(await objects.create(nextName(), bytes, options)));
      },
      close: () => Promise.resolve(),
    }),

    explain: s3ErrorWords,
    close: () => objects.close(),
  };
}
