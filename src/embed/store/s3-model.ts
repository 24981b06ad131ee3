import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Abortable, Logger } from '../../core/interfaces.js';
import type { GraphRequest } from '../graph-choice.js';
import { s3CacheFolder } from './cache-folder.js';
import type { RemoteFile } from './choose-files.js';
import { fetchFile, type FileToFetch } from './fetch-file.js';
import { fetchModel, missingFiles, type PulledModel } from './fetch-model.js';
import { formatS3Ref, type S3Ref } from './model-ref.js';
import { defaultPatience, type Patience } from './patience.js';
import type { ModelLocation } from '../model/model.js';
import type { ModelPlace } from './place.js';
import { etagOfFile } from './s3-etag.js';
import { openS3Folder, type S3File, type S3Folder } from './s3-folder.js';
import { fileSize, writeAtomically } from './store-files.js';

export interface S3ModelOptions extends Abortable {
  readonly request: GraphRequest;
  readonly log: Logger;
  /** For public buckets. */
  readonly anonymous?: boolean | undefined;
  readonly patience?: Patience | undefined;
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
  const remote = await openS3Folder(ref, { anonymous: options.anonymous ?? false });
  try {
    return await work(createPlace(ref, await remote.list(options), remote, options.log));
  } finally {
    remote.close();
  }
}

/**
 * `<cache>/<hash of the URI>/<hash of the listing>/…`: a prefix that changed gets another folder, so no folder ever
 * holds files of two versions. Files arrive one by one, each whole or not at all; the listing beside the folder says
 * which there should be.
 */
function createPlace(
  ref: S3Ref,
  files: readonly S3File[],
  remote: S3Folder,
  log: Logger,
): ModelPlace<S3File> {
  const uri = formatS3Ref(ref);
  const version = shortHash(JSON.stringify(files.map(({ path, etag, size }) => [path, etag, size])));
  const folder = join(s3CacheFolder(), shortHash(uri), version);
  const pathOf = (file: RemoteFile): string => join(folder, ...file.path.split('/'));
  const has = async (file: S3File): Promise<boolean> => (await fileSize(pathOf(file))) === file.size;
  const listing: S3Listing = { uri, files };
  return {
    location: { id: basename(ref.prefix === '' ? ref.bucket : ref.prefix), revision: null, folder },
    name: uri,
    origin: `s3://${ref.bucket}`,
    files,
    has,
    reuse: has,
    async fetch(file, options) {
      const listingFile = `${folder}.json`;
      if ((await fileSize(listingFile)) === undefined) {
        await writeAtomically(listingFile, JSON.stringify(listing, null, 2));
      }
      const label = `${file.path} of ${uri}`;
      const open: FileToFetch['open'] = (offset, abortable) => remote.open(file, offset, abortable);
      const verify = createVerifier(file, label, remote, log);
      return await fetchFile({ label, target: pathOf(file), size: file.size, open, verify }, options);
    },
  };
}

/**
 * Compares a file with its ETag where that is a hash. Some stores make up ETags that only look like one: a file that
 * arrives twice with the same content is taken for right.
 */
function createVerifier(file: S3File, label: string, remote: S3Folder, log: Logger): FileToFetch['verify'] {
  let former: string | undefined;
  return async (partial, options) => {
    const size = await fileSize(partial);
    if (size !== file.size) return `${size ?? 0} bytes where ${file.size} are right`;
    const parts = await remote.etagParts(file, options);
    if (parts === undefined) return undefined;
    const actual = await etagOfFile(partial, parts.partBytes, options);
    const expected = file.etag.replaceAll('"', '');
    if (actual === expected) return undefined;
    if (actual === former) {
      log.warn(
        `${label} arrived twice with the same content, which its ETag is no hash of: only its size is checked.`,
      );
      return undefined;
    }
    former = actual;
    return `its hash is ${actual} where the ETag says ${expected}`;
  };
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

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
