import { ListObjectsV2Command, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { compareUtf8 } from '../core/bytes-order.js';
import { EmbatchError } from '../core/errors.js';
import type { Abortable, Logger, SourceObject } from '../core/interfaces.js';
import { explainS3Error, transientS3Failures } from '../core/s3-errors.js';
import { printable } from './printable.js';
import type { Bucket } from './s3-bucket.js';
import { describeObject } from './s3-object.js';

/**
 * Every object whose key begins with `prefix`, ascending by the UTF-8 bytes of the keys; empty objects whose key
 * ends with `/`, which consoles make as folders, left out. The next page is fetched while one is consumed. Error:
 * SOURCE, also where the store's listing is not in order.
 */
export async function* listBucket(
  bucket: Bucket,
  prefix: string,
  options: Abortable & { readonly log: Logger },
): AsyncGenerator<SourceObject, void, undefined> {
  const uri = `s3://${bucket.name}/${prefix}`;
  let last: string | undefined;
  for await (const page of pages(bucket, prefix, options)) {
    const decode = page.EncodingType === 'url' ? decodeKey : (key: string): string => key;
    for (const entry of page.Contents ?? []) {
      options.signal?.throwIfAborted();
      const key = decode(entry.Key ?? '');
      if (key === undefined) {
        options.log.warn(`Left out ${uri}: the key "${printable(entry.Key ?? '')}" is not valid UTF-8.`);
        continue;
      }
      if (last !== undefined && compareUtf8(last, key) >= 0) throw outOfOrder(uri, last, key);
      last = key;
      const size = entry.Size ?? 0;
      if (size === 0 && key.endsWith('/')) continue;
      yield describeObject(bucket.name, {
        key,
        size,
        etag: entry.ETag,
        lastModified: entry.LastModified,
        storageClass: entry.StorageClass,
        restored: entry.RestoreStatus?.RestoreExpiryDate !== undefined,
      });
    }
  }
}

/**
 * The key that S3 means in a listing with `encoding-type=url`: it writes a space as `+`, everything else
 * percent-encoded. undefined where the bytes are no UTF-8.
 */
export function decodeKey(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

async function* pages(
  bucket: Bucket,
  prefix: string,
  { signal }: Abortable,
): AsyncGenerator<ListObjectsV2CommandOutput, void, undefined> {
  const stopped = new AbortController();
  const either = signal === undefined ? stopped.signal : AbortSignal.any([signal, stopped.signal]);
  const fetchPage = (token: string | undefined): Promise<ListObjectsV2CommandOutput> =>
    bucket.send(
      (client, options) =>
        client.send(
          new ListObjectsV2Command({
            Bucket: bucket.name,
            Prefix: prefix,
            // XML cannot carry every character that a key may have.
            EncodingType: 'url',
            OptionalObjectAttributes: ['RestoreStatus'],
            ...(bucket.pageSize === undefined ? {} : { MaxKeys: bucket.pageSize }),
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
          options,
        ),
      { signal: either },
    );
  let next: Promise<ListObjectsV2CommandOutput> | undefined = fetchPage(undefined);
  try {
    while (next !== undefined) {
      const page: ListObjectsV2CommandOutput = await next;
      next = undefined;
      if (page.Name === undefined && page.IsTruncated === undefined && page.Contents === undefined) {
        throw new Error('the answer is no listing: check scheme, host and port of AWS_ENDPOINT_URL_S3');
      }
      if (page.IsTruncated === true) {
        if (page.NextContinuationToken === undefined)
          throw new Error('the store says there is more, but not where');
        next = fetchPage(page.NextContinuationToken);
        // Awaited above; until then a failure must not count as unhandled.
        next.catch(() => undefined);
      }
      yield page;
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw cannotList(bucket.name, prefix, error);
  } finally {
    stopped.abort();
    await next?.catch(() => undefined);
  }
}

function cannotList(bucket: string, prefix: string, error: unknown): EmbatchError {
  const { kind, reason, advice } = explainS3Error(error);
  const denied = `Listing needs s3:ListBucket on ${bucket}; a public bucket may want --anonymous.`;
  const hint = kind === 'denied' ? denied : advice;
  const message = `Cannot list s3://${bucket}/${printable(prefix)}: ${reason}. ${hint}`;
  return new EmbatchError('SOURCE', message.trimEnd(), {
    cause: error,
    retryable: transientS3Failures.has(kind),
    details: { kind },
  });
}

function outOfOrder(uri: string, before: string, key: string): EmbatchError {
  return new EmbatchError(
    'SOURCE',
    `The listing of ${printable(uri)} is not in byte order: "${printable(key)}" came after "${printable(before)}". ` +
      'Directory buckets and some imitations of S3 list so. ' +
      'Copy the objects to a general purpose bucket, or name their keys in a manifest (manifest:FILE).',
  );
}
