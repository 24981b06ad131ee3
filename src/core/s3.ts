import type { S3Client as Client } from '@aws-sdk/client-s3';

export interface S3Location {
  readonly bucket: string;
  /** Without a leading slash; empty for the whole bucket. */
  readonly prefix: string;
}

/** The parts of `s3://bucket/prefix`; undefined where `uri` is none. The prefix is taken as it is, unescaped. */
export function parseS3Uri(uri: string): S3Location | undefined {
  const match = /^s3:\/\/([^/]+)(?:\/(.*))?$/s.exec(uri);
  return match ? { bucket: match[1] ?? '', prefix: match[2] ?? '' } : undefined;
}

export interface S3ClientOptions {
  /** Sends unsigned requests, for public buckets. */
  readonly anonymous?: boolean;
}

/** A silent socket is given up after this long: the client's own default is never. */
const SOCKET_TIMEOUT_MS = 30_000;
const CONNECTION_TIMEOUT_MS = 10_000;
/** The client's default of 3 gives up on a throttling bucket within 1.3 s. */
const MAX_ATTEMPTS = 8;
const MAX_SOCKETS = 64;

/**
 * An S3 client for everything that embatch reads and writes there. Endpoint, region and credentials come from
 * the SDK's own variables and chain (`AWS_ENDPOINT_URL_S3`, `AWS_REGION`, …). Loads the SDK when called, so
 * that `embatch --help` does not.
 */
export async function createS3Client(options: S3ClientOptions = {}): Promise<Client> {
  const { S3Client } = await import('@aws-sdk/client-s3');
  const customEndpoint = process.env['AWS_ENDPOINT_URL_S3'] ?? process.env['AWS_ENDPOINT_URL'];
  return new S3Client({
    maxAttempts: MAX_ATTEMPTS,
    followRegionRedirects: true,
    // A bucket's name is not resolvable as a host name below a custom endpoint.
    forcePathStyle: customEndpoint !== undefined,
    // Compatible stores reject the newer checksums; ETag and length are checked by us.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      socketTimeout: SOCKET_TIMEOUT_MS,
      httpsAgent: { maxSockets: MAX_SOCKETS },
      httpAgent: { maxSockets: MAX_SOCKETS },
    },
    ...(options.anonymous === true ? anonymous : {}),
  });
}

const anonymous = {
  credentials: { accessKeyId: '', secretAccessKey: '' },
  signer: { sign: <T>(request: T): Promise<T> => Promise.resolve(request) },
};
