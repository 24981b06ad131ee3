import { Readable } from 'node:stream';
import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { EmbatchError, type ErrorCode } from '../core/errors.js';
import type { Abortable, OpenObject, OpenOptions, SourceObject } from '../core/interfaces.js';
import { explainS3Error, transientS3Failures, type S3FailureKind } from '../core/s3-errors.js';
import { createBody } from './body.js';
import { printable } from './printable.js';
import type { Bucket } from './s3-bucket.js';
import { describeObject, quoted, versionOf } from './s3-object.js';

/** How often a body is taken up again in a row without {@link PROGRESS_BYTES} in between. */
const RESUME_ATTEMPTS = 8;
const PROGRESS_BYTES = 1024 * 1024;

/**
 * Opens the listed version; where the object has changed, the new one, whole and in one request. Errors:
 * OBJECT_GONE, OBJECT_DENIED, OBJECT_UNREADABLE, SOURCE; the body's iteration may end in the same.
 */
export async function openS3Object(
  bucket: Bucket,
  listed: SourceObject,
  options: OpenOptions = {},
): Promise<OpenObject> {
  try {
    return await openS3Key(bucket, listed.key, { ...options, version: listed.version });
  } catch (error) {
    if (!(error instanceof EmbatchError && error.details['kind'] === 'precondition')) throw error;
    return await openS3Key(bucket, listed.key, options);
  }
}

/** Opens a key: the given version of it, else whichever is there. Errors as {@link openS3Object}. */
export async function openS3Key(
  bucket: Bucket,
  key: string,
  options: OpenOptions & { readonly version?: string },
): Promise<OpenObject> {
  const { from = 0 } = options;
  const response = await get(bucket, key, { ...options, ...(from > 0 ? { offset: from } : {}) });
  const size = sizeOf(response, from);
  if (size === undefined) {
    streamOf(response).destroy();
    throw new EmbatchError(
      'OBJECT_UNREADABLE',
      `Cannot read ${nameOf(bucket, key)}: the store does not say how long it is (no Content-Length).`,
    );
  }
  const object = describeObject(bucket.name, {
    key,
    size,
    etag: response.ETag,
    lastModified: response.LastModified,
  });
  return {
    object,
    contentType: response.ContentType,
    body: resumableBody(bucket, object, streamOf(response), {
      ...options,
      from,
      // A store that ignores the range sends everything.
      skip: response.ContentRange === undefined ? from : 0,
    }),
  };
}

/** Of the whole object. */
function sizeOf({ ContentLength, ContentRange }: GetObjectCommandOutput, from: number): number | undefined {
  if (from === 0 || ContentRange === undefined) return ContentLength;
  const total = /\/(\d+)$/.exec(ContentRange)?.[1];
  return total === undefined ? undefined : Number(total);
}

/** The bytes of `first`, and where it breaks, the rest by range requests for the same version. */
function resumableBody(
  bucket: Bucket,
  object: SourceObject,
  first: Readable,
  options: Abortable & {
    /** Position of the first byte that is wanted, and how many bytes of `first` lie before it. */
    readonly from: number;
    readonly skip: number;
  },
): AsyncIterable<Uint8Array> {
  const name = nameOf(bucket, object.key);
  let stream = first;
  let disposed = false;

  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    let offset = options.from;
    let { skip } = options;
    let failures = 0;
    let failedAt = offset;
    for (;;) {
      let failure: unknown;
      try {
        for await (const chunk of stream as AsyncIterable<Uint8Array>) {
          const wanted = skip === 0 ? chunk : chunk.subarray(skip);
          skip -= chunk.byteLength - wanted.byteLength;
          offset += wanted.byteLength;
          if (wanted.byteLength > 0) yield wanted;
        }
        failure = new Error(`the body ended after ${String(offset)} of ${String(object.size)} bytes`);
      } catch (error) {
        failure = error;
      }
      if (offset === object.size || disposed) return;
      options.signal?.throwIfAborted();
      failures = offset - failedAt >= PROGRESS_BYTES ? 1 : failures + 1;
      failedAt = offset;
      if (failures > RESUME_ATTEMPTS || offset > object.size) throw unreadable(name, object, offset, failure);
      await bucket.pause(failures, options);
      const rest = await get(bucket, object.key, { ...options, version: object.version, offset });
      stream = streamOf(rest);
      // A store that ignores the range sends everything again.
      skip = rest.ContentRange === undefined ? offset : 0;
    }
  }

  return createBody(read, () => {
    disposed = true;
    stream.destroy();
    return Promise.resolve();
  });
}

async function get(
  bucket: Bucket,
  key: string,
  options: Abortable & { readonly version?: string; readonly offset?: number },
): Promise<GetObjectCommandOutput> {
  const { version, offset } = options;
  try {
    const response = await bucket.send(
      (client, sendOptions) =>
        client.send(
          new GetObjectCommand({
            Bucket: bucket.name,
            Key: key,
            ...(version === undefined ? {} : { IfMatch: quoted(version) }),
            ...(offset === undefined ? {} : { Range: `bytes=${String(offset)}-` }),
          }),
          sendOptions,
        ),
      options,
    );
    // The rest of another version must never be glued to this one, whatever the store makes of `If-Match`.
    if (
      offset !== undefined &&
      version !== undefined &&
      response.ETag !== undefined &&
      versionOf(response.ETag) !== version
    ) {
      streamOf(response).destroy();
      throw Object.assign(new Error('it changed while it was being read'), { name: 'PreconditionFailed' });
    }
    return response;
  } catch (error) {
    options.signal?.throwIfAborted();
    throw cannotRead(nameOf(bucket, key), error);
  }
}

const codes: Partial<Record<S3FailureKind, ErrorCode>> = {
  'no-key': 'OBJECT_GONE',
  precondition: 'OBJECT_UNREADABLE',
  denied: 'OBJECT_DENIED',
  archived: 'OBJECT_DENIED',
  server: 'OBJECT_UNREADABLE',
  broken: 'OBJECT_UNREADABLE',
  refused: 'OBJECT_UNREADABLE',
  'not-s3': 'OBJECT_UNREADABLE',
};

/** What befell one object has its own codes; what would befall every other one too is SOURCE. */
function cannotRead(name: string, error: unknown): EmbatchError {
  const { kind, reason, advice } = explainS3Error(error);
  const message =
    kind === 'precondition'
      ? `${name} changed while it was being read: run again.`
      : `Cannot read ${name}: ${reason}. ${advice}`;
  return new EmbatchError(codes[kind] ?? 'SOURCE', message.trimEnd(), {
    cause: error,
    retryable: kind === 'precondition' || transientS3Failures.has(kind),
    details: { kind },
  });
}

function unreadable(name: string, object: SourceObject, offset: number, cause: unknown): EmbatchError {
  const { reason } = explainS3Error(cause);
  return new EmbatchError(
    'OBJECT_UNREADABLE',
    `Cannot read ${name}: the body broke off at byte ${String(offset)} of ${String(object.size)}, ` +
      `and ${String(RESUME_ATTEMPTS)} attempts to go on from there failed (${reason}).`,
    { cause, retryable: true, details: { kind: 'broken' } },
  );
}

function streamOf(response: GetObjectCommandOutput): Readable {
  if (response.Body instanceof Readable) return response.Body;
  throw new EmbatchError(
    'BUG',
    'The S3 client gave a body that is no Node.js stream; this is a bug of embatch.',
  );
}

function nameOf(bucket: Bucket, key: string): string {
  return printable(`s3://${bucket.name}/${key}`);
}
