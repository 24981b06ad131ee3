import { resolve } from 'node:path';
import { EmbatchError } from '../../core/errors.js';
import { parseS3Uri } from '../../core/s3.js';
import type { SinkLimits } from '../../core/interfaces.js';

export interface LanceDbOptions {
  /** Bounds of one write; undefined means what suits LanceDB. */
  readonly maxRows?: number | undefined;
  readonly maxBytes?: number | undefined;
  /** Rows from which on `finish` builds a vector index; below, exact search is fast enough. */
  readonly indexFromRows?: number;
}

export interface LanceDbConfig {
  readonly uri: string;
  /** What LanceDB connects to: an absolute folder or `s3://bucket/prefix`, without a final slash. */
  readonly location: string;
  readonly isLocal: boolean;
  readonly storageOptions: Readonly<Record<string, string>>;
  readonly limits: SinkLimits;
  readonly indexFromRows: number;
}

/** Small writes are dear: each is a commit of some 50 ms and leaves a file. */
const MAX_ROWS = 5000;
const MAX_BYTES = 32 * 2 ** 20;

/** Exact search over so many rows takes 56 ms for 384 dimensions on one slow core. */
const INDEX_FROM_ROWS = 100_000;
const SCHEME = 'lancedb:';

/** Reads `lancedb:DIR`, DIR being a folder or `s3://bucket/prefix`. Throws USAGE. */
export function lanceDbConfig(uri: string, options: LanceDbOptions): LanceDbConfig {
  const place = uri.startsWith(SCHEME) ? uri.slice(SCHEME.length).replace(/(?<=[^/])\/+$/, '') : '';
  const s3 = parseS3Uri(place);
  if (place === '' || (s3 === undefined && place.includes('://'))) {
    throw new EmbatchError(
      'USAGE',
      `${uri} names no place for a LanceDB index; write lancedb:FOLDER or lancedb:s3://BUCKET/PREFIX`,
    );
  }
  return {
    uri,
    location: s3 === undefined ? resolve(place) : place,
    isLocal: s3 === undefined,
    storageOptions: s3 === undefined ? {} : s3StorageOptions(process.env),
    limits: { maxRows: options.maxRows ?? MAX_ROWS, maxBytes: options.maxBytes ?? MAX_BYTES, concurrency: 1 },
    indexFromRows: options.indexFromRows ?? INDEX_FROM_ROWS,
  };
}

/**
 * LanceDB does not know the AWS SDK's endpoint variables. What is not set here (profiles, roles of a machine)
 * it finds by the provider's own chain.
 */
export function s3StorageOptions(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const endpoint = env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL'];
  const options: Record<string, string | undefined> = {
    region: env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'],
    accessKeyId: env['AWS_ACCESS_KEY_ID'],
    secretAccessKey: env['AWS_SECRET_ACCESS_KEY'],
    sessionToken: env['AWS_SESSION_TOKEN'],
    endpoint,
    allowHttp: endpoint?.startsWith('http:') === true ? 'true' : undefined,
    // A bucket's name is not resolvable as a host name below a custom endpoint.
    virtualHostedStyleRequest: endpoint === undefined ? undefined : 'false',
  };
  return Object.fromEntries(
    Object.entries(options).filter((entry): entry is [string, string] => (entry[1] ?? '') !== ''),
  );
}
