import { setMaxListeners } from 'node:events';
import { ListObjectsV2Command, type _Object } from '@aws-sdk/client-s3';
import { compareUtf8 } from '../core/bytes-order.js';
import { describeError, EmbatchError } from '../core/errors.js';
import type { Abortable, Logger, SourceObject } from '../core/interfaces.js';
import { explainS3Error, transientS3Failures } from '../core/s3-errors.js';
import type { KeyPage, PagePlace } from './key-pages.js';
import { printable } from './printable.js';
import type { Bucket } from './s3-bucket.js';
import { describeObject } from './s3-object.js';
import { Walks } from './walks.js';

interface Listed {
  /** undefined where the bytes are no UTF-8. */
  readonly key: string | undefined;
  readonly entry: _Object;
}

/**
 * Every object whose key begins with `prefix`, ascending by the UTF-8 bytes of the keys; empty objects whose key
 * ends with `/`, which consoles make as folders, left out. The next page is fetched while one is consumed; where the
 * consumer waits for pages, the prefix is listed at several places at once (walks.ts). Error: SOURCE, also where the
 * store's listing is not in order.
 */
export async function* listBucket(
  bucket: Bucket,
  prefix: string,
  { log, signal }: Abortable & { readonly log: Logger },
): AsyncGenerator<SourceObject, void, undefined> {
  const uri = `s3://${bucket.name}/${prefix}`;
  const stopped = new AbortController();
  const either = signal === undefined ? stopped.signal : AbortSignal.any([signal, stopped.signal]);
  // Each request that is under way listens; their number is bounded.
  setMaxListeners(0, either);
  const walks = new Walks<Listed>({
    prefix,
    keyOf: ({ key }) => key,
    fetch: (place) => fetchPage(bucket, prefix, place, either),
    onSequential: (reason) => {
      if (!either.aborted) log.debug(`${uri} is listed page by page`, { reason: describeError(reason) });
    },
  });
  let last: string | undefined;
  try {
    for await (const { entries, end } of walks.pages()) {
      let lastOfPage = last;
      for (const { key, entry } of entries) {
        signal?.throwIfAborted();
        const isBeyond = end !== undefined && isKeyBeyond(key ?? entry.Key ?? '', key === undefined, end);
        if (key === undefined) {
          if (!isBeyond) {
            log.warn(`Left out ${uri}: the key "${printable(entry.Key ?? '')}" is not valid UTF-8.`);
          }
          continue;
        }
        if (lastOfPage !== undefined && compareUtf8(lastOfPage, key) >= 0) {
          throw outOfOrder(uri, lastOfPage, key);
        }
        lastOfPage = key;
        if (isBeyond) continue;
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
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof EmbatchError ? error : cannotList(bucket.name, prefix, error);
  } finally {
    stopped.abort();
    await walks.close();
  }
}

/** A key that is no UTF-8 has its place among the bytes all the same. */
function isKeyBeyond(key: string, isEncoded: boolean, end: string): boolean {
  if (!isEncoded) return compareUtf8(key, end) > 0;
  const text = key.replaceAll('+', ' ');
  const bytes = Buffer.from(
    text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
  return bytes.compare(Buffer.from(end)) > 0;
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

async function fetchPage(
  bucket: Bucket,
  prefix: string,
  { after, token }: PagePlace,
  signal: AbortSignal,
): Promise<KeyPage<Listed>> {
  const page = await bucket.send(
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
          // With a token, stores do not agree on what it would mean.
          ...(after === undefined || token !== undefined ? {} : { StartAfter: after }),
        }),
        options,
      ),
    { signal },
  );
  if (page.Name === undefined && page.IsTruncated === undefined && page.Contents === undefined) {
    throw new Error('the answer is no listing: check scheme, host and port of AWS_ENDPOINT_URL_S3');
  }
  if (page.IsTruncated === true && page.NextContinuationToken === undefined) {
    throw new Error('the store says there is more, but not where');
  }
  const decode = page.EncodingType === 'url' ? decodeKey : (key: string): string => key;
  const entries = (page.Contents ?? []).map((entry): Listed => ({ key: decode(entry.Key ?? ''), entry }));
  return {
    entries,
    token: page.IsTruncated === true ? page.NextContinuationToken : undefined,
    first: entries.find(({ key }) => key !== undefined)?.key,
    last: entries.findLast(({ key }) => key !== undefined)?.key,
  };
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
