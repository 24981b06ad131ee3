import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type * as S3 from '@aws-sdk/client-s3';
import { EmbatchError } from '../../core/errors.js';
import type { Abortable, Logger } from '../../core/interfaces.js';
import { createS3Client } from '../../core/s3.js';
import { explainS3Error, transientS3Failures } from '../../core/s3-errors.js';
import type { GraphRequest } from '../graph-choice.js';
import { s3CacheFolder } from './cache-folder.js';
import type { RemoteFile } from './choose-files.js';
import { fetchFile } from './fetch-file.js';
import { fetchModel, missingFiles, type PulledModel } from './fetch-model.js';
import { formatS3Ref, type S3Ref } from './model-ref.js';
import { defaultPatience, type Patience } from './patience.js';
import type { ModelLocation } from '../model/model.js';
import type { ModelPlace } from './place.js';
import { checkRemotePath } from './remote-path.js';
import { fileSize, writeAtomically } from './store-files.js';

export interface S3ModelOptions extends Abortable {
  readonly request: GraphRequest;
  readonly log: Logger;
  /** For public buckets. */
  readonly anonymous?: boolean | undefined;
  readonly patience?: Patience | undefined;
}

interface S3File extends RemoteFile {
  readonly etag: string;
}

/** What lies beside a cached folder: which listing it was made from. */
export interface S3Listing {
  readonly uri: string;
  readonly files: readonly S3File[];
}

/** The model below a prefix, as it is now: lists, and fetches what is not in the cache. Error: MODEL. */
export async function openS3Model(ref: S3Ref, options: S3ModelOptions): Promise<ModelLocation> {
  return await withPlace(ref, options, async (place) => {
    if ((await missingFiles(place, options.request)).length > 0) await fetchAll(place, options);
    return place.location;
  });
}

export async function pullS3Model(ref: S3Ref, options: S3ModelOptions): Promise<PulledModel> {
  return await withPlace(ref, options, (place) => fetchAll(place, options));
}

async function fetchAll(place: ModelPlace<S3File>, options: S3ModelOptions): Promise<PulledModel> {
  return await fetchModel(place, { ...options, patience: options.patience ?? defaultPatience });
}

async function withPlace<Result>(
  ref: S3Ref,
  options: S3ModelOptions,
  work: (place: ModelPlace<S3File>) => Promise<Result>,
): Promise<Result> {
  const client = await createS3Client({ anonymous: options.anonymous ?? false });
  try {
    const sdk = await import('@aws-sdk/client-s3');
    return await work(await openPlace(ref, { client, sdk }, options));
  } finally {
    client.destroy();
  }
}

interface Connection {
  readonly client: S3.S3Client;
  readonly sdk: typeof S3;
}

/**
 * `<cache>/<hash of the URI>/<hash of the listing>/…`: a prefix that changed gets another folder, so no folder ever
 * holds files of two versions. Files arrive one by one, each whole or not at all; the listing beside the folder says
 * which there should be.
 */
async function openPlace(
  ref: S3Ref,
  connection: Connection,
  options: S3ModelOptions,
): Promise<ModelPlace<S3File>> {
  const uri = formatS3Ref(ref);
  const files = await listFiles(ref, connection, options);
  const cache = join(s3CacheFolder(), shortHash(uri));
  const version = shortHash(JSON.stringify(files.map(({ path, etag, size }) => [path, etag, size])));
  const folder = join(cache, version);
  const pathOf = (file: RemoteFile): string => join(folder, ...file.path.split('/'));
  const listing: S3Listing = { uri, files };
  const listingFile = `${folder}.json`;
  return {
    location: { id: basename(ref.prefix === '' ? ref.bucket : ref.prefix), revision: null, folder },
    name: uri,
    origin: `s3://${ref.bucket}`,
    files,
    has: async (file) => (await fileSize(pathOf(file))) === file.size,
    reuse: async (file) => (await fileSize(pathOf(file))) === file.size,
    async fetch(file, fetchOptions) {
      if ((await fileSize(listingFile)) === undefined) {
        await writeAtomically(listingFile, JSON.stringify(listing, null, 2));
      }
      return await fetchFile(
        {
          label: `${file.path} of ${uri}`,
          target: pathOf(file),
          size: file.size,
          open: (offset, abortable) => openObject(ref, file, offset, connection, abortable),
          verify: async (partial) => {
            const size = await fileSize(partial);
            return size === file.size ? undefined : `${size ?? 0} bytes where ${file.size} are right`;
          },
        },
        fetchOptions,
      );
    },
  };
}

/** Files below the prefix, ascending by path. Error: MODEL, also where there is none. */
async function listFiles(ref: S3Ref, { client, sdk }: Connection, { signal }: Abortable): Promise<S3File[]> {
  const base = ref.prefix === '' ? '' : `${ref.prefix}/`;
  const uri = formatS3Ref(ref);
  const files: S3File[] = [];
  try {
    let token: string | undefined;
    do {
      const page: S3.ListObjectsV2CommandOutput = await client.send(
        new sdk.ListObjectsV2Command({ Bucket: ref.bucket, Prefix: base, ContinuationToken: token }),
        aborting(signal),
      );
      for (const { Key: key = '', Size: size = 0, ETag: etag = '' } of page.Contents ?? []) {
        const path = key.slice(base.length);
        // What consoles make as folders.
        if (path === '' || path.endsWith('/')) continue;
        checkRemotePath(path, uri);
        files.push({ path, size, etag });
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof EmbatchError ? error : s3Error(`list ${uri}`, error);
  }
  if (files.length === 0) {
    throw new EmbatchError('MODEL', `${uri} holds no files: there is no model there, or not any more.`);
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function openObject(
  ref: S3Ref,
  file: S3File,
  offset: number,
  { client, sdk }: Connection,
  { signal }: Abortable,
): Promise<{ start: number; body: AsyncIterable<Uint8Array> }> {
  const key = ref.prefix === '' ? file.path : `${ref.prefix}/${file.path}`;
  try {
    const answer = await client.send(
      new sdk.GetObjectCommand({
        Bucket: ref.bucket,
        Key: key,
        IfMatch: file.etag,
        ...(offset === 0 ? {} : { Range: `bytes=${offset}-` }),
      }),
      aborting(signal),
    );
    const body = answer.Body as AsyncIterable<Uint8Array>;
    return { start: answer.ContentRange === undefined ? 0 : offset, body };
  } catch (error) {
    signal?.throwIfAborted();
    const name = `s3://${ref.bucket}/${key}`;
    const { kind } = explainS3Error(error);
    if (kind === 'precondition' || kind === 'no-key') {
      throw new EmbatchError('MODEL', `${name} changed while the model was being fetched: run again.`, {
        cause: error,
        retryable: true,
      });
    }
    throw s3Error(`read ${name}`, error);
  }
}

function s3Error(what: string, error: unknown): EmbatchError {
  const { kind, reason, advice } = explainS3Error(error);
  return new EmbatchError('MODEL', `Cannot ${what}: ${reason}. ${advice}`.trimEnd(), {
    cause: error,
    retryable: transientS3Failures.has(kind),
    details: { kind },
  });
}

/** What a cached folder was made from; undefined where that cannot be read. */
export async function readS3Listing(file: string): Promise<S3Listing | undefined> {
  try {
    const { uri, files } = JSON.parse(await readFile(file, 'utf8')) as Partial<S3Listing>;
    return uri === undefined || files === undefined ? undefined : { uri, files };
  } catch {
    return undefined;
  }
}

function aborting(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
