import { readFile } from 'node:fs/promises';
import { HeadObjectCommand, type HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { compareUtf8 } from '../core/bytes-order.js';
import { describeError, EmbatchError, isEmbatchError } from '../core/errors.js';
import type { Abortable, OpenObject, OpenOptions, SourceObject } from '../core/interfaces.js';
import { parseS3Uri, type S3Location } from '../core/s3.js';
import { explainS3Error } from '../core/s3-errors.js';
import { mapConcurrent } from '../core/streams.js';
import { formatBytes } from '../core/units.js';
import type { GlobbedSource } from './filter.js';
import { printable } from './printable.js';
import { openBucket, type Bucket, type BucketOptions } from './s3-bucket.js';
import { describeObject } from './s3-object.js';
import { openS3Key, openS3Object } from './s3-read.js';
import { isUnknown, unknownObject } from './unknown-object.js';

/** A manifest is held in memory, keys and all. */
const MAX_MANIFEST_BYTES = 256 * 1024 * 1024;
const HEADS_AT_ONCE = 16;

export interface ManifestEntries {
  /** Bucket and prefix as the first element names them. */
  readonly location: S3Location;
  /** Whole keys, ascending by their UTF-8 bytes, each once. */
  readonly keys: readonly string[];
}

/**
 * The objects that a SageMaker manifest (`S3DataType: ManifestFile`) names: a JSON array of
 * `{"prefix": "s3://bucket/folder/"}` and the rest of each key. Size and version of each are asked of S3 when
 * listed; one that is missing or denied is listed all the same, so that opening it reports it.
 * Errors: USAGE for a manifest that is not understood, SOURCE where it cannot be read.
 * Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_S3DataSource.html
 */
export async function createManifestSource(
  uri: string,
  manifest: string,
  options: BucketOptions,
): Promise<GlobbedSource> {
  const { location, keys } = parseManifest(await readManifest(manifest, options), manifest);
  const bucket = await openBucket(location.bucket, options);
  return {
    id: `s3://${location.bucket}`,
    uri,
    opensRanges: true,
    globBase: location.prefix.slice(0, location.prefix.lastIndexOf('/') + 1),
    // A manifest names what is to be done, not what there is.
    reaches: () => false,
    list: (listOptions) => mapConcurrent(keys, HEADS_AT_ONCE, (key) => head(bucket, key, listOptions)),
    open: (object, openOptions) => openNamed(bucket, object, openOptions),
    close() {
      bucket.close();
      return Promise.resolve();
    },
  };
}

/** Error: USAGE, naming `manifest`. */
export function parseManifest(text: string, manifest: string): ManifestEntries {
  const refuse = (reason: string): EmbatchError =>
    new EmbatchError(
      'USAGE',
      `The manifest ${printable(manifest)} is not understood: ${reason}. Expected a JSON array such as ` +
        '[{"prefix": "s3://bucket/folder/"}, "a.txt", "b/c.txt"].',
    );
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw refuse(describeError(error));
  }
  if (!Array.isArray(parsed)) throw refuse('it is no array');
  const [first, ...rest] = parsed as readonly unknown[];
  const prefix = typeof first === 'object' && first !== null && 'prefix' in first ? first.prefix : undefined;
  const location = typeof prefix === 'string' ? parseS3Uri(prefix) : undefined;
  if (location === undefined) throw refuse('its first element names no S3 prefix');
  const keys = new Set<string>();
  for (const [index, entry] of rest.entries()) {
    if (typeof entry !== 'string' || location.prefix + entry === '') {
      throw refuse(
        `element ${String(index + 1)} is ${printable(JSON.stringify(entry))}, not the rest of a key`,
      );
    }
    keys.add(location.prefix + entry);
  }
  return { location, keys: [...keys].sort(compareUtf8) };
}

async function readManifest(manifest: string, options: BucketOptions): Promise<string> {
  const location = parseS3Uri(manifest);
  if (location === undefined) {
    try {
      return await readFile(manifest, 'utf8');
    } catch (error) {
      throw cannotReadManifest(manifest, error);
    }
  }
  const bucket = await openBucket(location.bucket, options);
  try {
    const { object, body } = await openS3Key(bucket, location.prefix, {});
    if (object.size > MAX_MANIFEST_BYTES) throw tooLarge(manifest, object.size);
    const parts: Uint8Array[] = [];
    for await (const part of body) parts.push(part);
    return Buffer.concat(parts).toString();
  } catch (error) {
    throw cannotReadManifest(manifest, error);
  } finally {
    // Ends the connection of a body that was not read, too.
    bucket.close();
  }
}

function tooLarge(manifest: string, size: number): EmbatchError {
  const limit = formatBytes(MAX_MANIFEST_BYTES);
  const message = `The manifest ${printable(manifest)} has ${formatBytes(size)}, more than ${limit}: split it.`;
  return new EmbatchError('USAGE', message);
}

function cannotReadManifest(manifest: string, error: unknown): EmbatchError {
  if (error instanceof EmbatchError && error.code === 'USAGE') return error;
  const message = `Cannot read the manifest ${printable(manifest)}: ${describeError(error)}`;
  return new EmbatchError('SOURCE', message.replace(/\.?$/, '.'), { cause: error });
}

/** What a manifest names and nobody has ever seen is a fault of the manifest, not an object deleted meanwhile. */
async function openNamed(bucket: Bucket, object: SourceObject, options?: OpenOptions): Promise<OpenObject> {
  try {
    return await openS3Object(bucket, object, options);
  } catch (error) {
    if (!isUnknown(object) || !isEmbatchError(error, 'OBJECT_GONE')) throw error;
    const uri = printable(`s3://${bucket.name}/${object.key}`);
    const message = `Cannot read ${uri}: the manifest names it, but there is no such object.`;
    throw new EmbatchError('OBJECT_UNREADABLE', message, { cause: error });
  }
}

async function head(bucket: Bucket, key: string, options: Abortable = {}): Promise<SourceObject> {
  let response: HeadObjectCommandOutput;
  try {
    response = await bucket.send(
      (client, sendOptions) =>
        client.send(new HeadObjectCommand({ Bucket: bucket.name, Key: key }), sendOptions),
      options,
    );
  } catch (error) {
    options.signal?.throwIfAborted();
    const { kind, reason, advice } = explainS3Error(error);
    if (kind === 'no-key' || kind === 'denied') {
      return unknownObject(key);
    }
    const message = `Cannot look up s3://${printable(`${bucket.name}/${key}`)}: ${reason}. ${advice}`;
    throw new EmbatchError('SOURCE', message.trimEnd(), { cause: error, details: { kind } });
  }
  return describeObject(bucket.name, {
    key,
    size: response.ContentLength ?? 0,
    etag: response.ETag,
    lastModified: response.LastModified,
    storageClass: response.ArchiveStatus === undefined ? response.StorageClass : 'GLACIER',
    restored: response.Restore?.includes('ongoing-request="false"') ?? false,
  });
}
