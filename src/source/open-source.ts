import { fileURLToPath } from 'node:url';
import { EmbatchError } from '../core/errors.js';
import type { Logger, Source } from '../core/interfaces.js';
import { parseS3Uri } from '../core/s3.js';
import {
  compileFilter,
  filterSource,
  namesHidden,
  type FilterOptions,
  type GlobbedSource,
} from './filter.js';

export interface SourceOptions extends FilterOptions {
  readonly log: Logger;
  /** S3: unsigned requests, for public buckets. */
  readonly anonymous?: boolean | undefined;
  /** Folders: takes the place of `file://` and the real path in object URIs. */
  readonly sourceId?: string | undefined;
  /** Folders: symbolic links are followed. */
  readonly followLinks?: boolean | undefined;
  /** Folders: names with a leading dot and `node_modules` are taken, too; single ones by naming them in `include`. */
  readonly hidden?: boolean | undefined;
  /** Folders: paths that are left out, such as those of sink and state; they need not exist. */
  readonly leaveOut?: readonly string[] | undefined;
}

/**
 * Opens `s3://bucket/prefix`, `manifest:` and the path or `s3://` URI of a SageMaker manifest, a folder, a file, or
 * a `file://` URL. S3 is asked nothing yet but for a manifest. Errors: USAGE, SOURCE.
 */
export async function openSource(uri: string, options: SourceOptions): Promise<Source> {
  const filter = compileFilter(options);
  return filterSource(await open(uri, options), filter, options.log);
}

async function open(uri: string, options: SourceOptions): Promise<GlobbedSource> {
  const location = parseS3Uri(uri);
  const manifest = /^manifest:(.+)$/s.exec(uri)?.[1];
  if (location !== undefined || manifest !== undefined) {
    if (options.sourceId !== undefined) {
      throw new EmbatchError(
        'USAGE',
        `--source-id is for folders; the objects of ${uri} are named by their bucket.`,
      );
    }
  }
  if (manifest !== undefined) {
    const { createManifestSource } = await import('./manifest.js');
    return await createManifestSource(uri, manifest, options);
  }
  if (location !== undefined) {
    const { createS3Source } = await import('./s3-source.js');
    return await createS3Source(uri, location, options);
  }
  const path = localPath(uri);
  const { createLocalSource } = await import('./local-source.js');
  return await createLocalSource(uri, path, { ...options, named: namesHidden(options.include) });
}

function localPath(uri: string): string {
  if (uri === '') throw notASource(uri);
  if (/^file:\/\//i.test(uri)) {
    try {
      return fileURLToPath(uri);
    } catch (error) {
      throw notASource(uri, error);
    }
  }
  if (/^(?:[a-z][a-z0-9+.-]*:\/\/|s3:|manifest:)/i.test(uri)) throw notASource(uri);
  return uri;
}

function notASource(uri: string, cause?: unknown): EmbatchError {
  return new EmbatchError(
    'USAGE',
    `"${uri}" is no source: expected s3://bucket/prefix, a folder, a file, or manifest:FILE.`,
    { cause },
  );
}
