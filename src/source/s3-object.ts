import { EmbatchError } from '../core/errors.js';
import type { SourceObject } from '../core/interfaces.js';
import { printable } from './printable.js';

/** What S3 says of an object, in a listing or a HEAD. */
export interface S3ObjectFacts {
  readonly key: string;
  readonly size: number;
  readonly etag: string | undefined;
  readonly lastModified: Date | undefined;
  readonly storageClass?: string | undefined;
  /** A copy restored from an archive tier can be read for now. */
  readonly restored?: boolean;
}

/** Glacier Instant Retrieval (`GLACIER_IR`) is read like any other class. */
const archiveClasses: readonly (string | undefined)[] = ['GLACIER', 'DEEP_ARCHIVE'];

/** The object as the job sees it. Error: SOURCE where the store gives no ETag, without which nothing can be pinned. */
export function describeObject(bucket: string, facts: S3ObjectFacts): SourceObject {
  if (facts.etag === undefined || facts.etag === '') {
    throw new EmbatchError(
      'SOURCE',
      `s3://${bucket}/${printable(facts.key)} has no ETag, so changes to it could not be noticed. ` +
        'embatch needs a store that gives one.',
    );
  }
  const archived = archiveClasses.includes(facts.storageClass) && facts.restored !== true;
  return {
    key: facts.key,
    size: facts.size,
    version: versionOf(facts.etag),
    lastModified: (facts.lastModified ?? new Date(0)).toISOString(),
    ...(archived ? { skip: 'archived' } : {}),
  };
}

/** An ETag without its quotes. */
export function versionOf(etag: string): string {
  return /^"(.*)"$/s.exec(etag)?.[1] ?? etag;
}

/** What `If-Match` takes. */
export function quoted(version: string): string {
  return `"${version}"`;
}
