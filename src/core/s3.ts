import { readFile } from 'node:fs/promises';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import type { S3Client as Client } from '@aws-sdk/client-s3';
import { describeError, EmbatchError } from './errors.js';

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
  /** A socket that is silent for so long is given up; also while a body is read. */
  readonly socketTimeoutMs?: number;
  /** Requests of the client for one call, the first included. */
  readonly maxAttempts?: number;
}

/** The client's own default is never. */
const SOCKET_TIMEOUT_MS = 30_000;
const CONNECTION_TIMEOUT_MS = 10_000;
/** The client's default of 3 gives up on a throttling bucket within 1.3 s. */
const MAX_ATTEMPTS = 8;
const MAX_SOCKETS = 64;
/** Where nothing names a region: the bucket's own is then learnt from S3's redirect. */
const DEFAULT_REGION = 'us-east-1';

/**
 * An S3 client for everything that embatch reads and writes there. Endpoint, region, credentials and CA bundle
 * come from the SDK's own variables and chain (`AWS_ENDPOINT_URL_S3`, `AWS_REGION`, `AWS_CA_BUNDLE`, …). The
 * client follows a bucket to its region and stays there, so use one client per bucket. Loads the SDK when
 * called, so that `embatch --help` does not. Error: USAGE for a variable that makes no sense.
 */
export async function createS3Client(options: S3ClientOptions = {}): Promise<Client> {
  const endpoint = customEndpoint();
  const secureContext = endpoint?.startsWith('http:') === true ? undefined : await loadSecureContext();
  // It names a Node version that later SDKs need; ours is pinned, and users can do nothing about it.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const { S3Client } = await import('@aws-sdk/client-s3');
  const create = (region: string | undefined): Client =>
    new S3Client({
      ...(region === undefined ? {} : { region }),
      // Left to the SDK, it would be read at the first request, after the path style was decided.
      ...(endpoint === undefined ? {} : { endpoint }),
      maxAttempts: options.maxAttempts ?? MAX_ATTEMPTS,
      // A bucket's name is not resolvable as a host name below a custom endpoint.
      forcePathStyle: endpoint !== undefined,
      // Compatible stores reject the newer checksums; ETag and length are checked by us.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: CONNECTION_TIMEOUT_MS,
        socketTimeout: options.socketTimeoutMs ?? SOCKET_TIMEOUT_MS,
        httpAgent: { maxSockets: MAX_SOCKETS },
        httpsAgent: { maxSockets: MAX_SOCKETS, ...(secureContext === undefined ? {} : { secureContext }) },
      },
      ...(options.anonymous === true ? anonymous : {}),
    });
  const client = await withRegion(create);
  followToRegion(client);
  return client;
}

const anonymous = {
  credentials: { accessKeyId: '', secretAccessKey: '' },
  signer: { sign: <T>(request: T): Promise<T> => Promise.resolve(request) },
};

/** The endpoint the environment sets for S3; undefined for Amazon's own. Error: USAGE. */
function customEndpoint(): string | undefined {
  if (process.env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'] === 'true') return undefined;
  const name = ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'].find((variable) => Boolean(process.env[variable]));
  const value = name === undefined ? undefined : process.env[name];
  if (value !== undefined && !/^https?:\/\/[^/]/i.test(value)) {
    throw new EmbatchError(
      'USAGE',
      `${String(name)} must be a URL such as http://localhost:9000, not "${value}".`,
    );
  }
  return value;
}

/** The SDK reads `AWS_REGION` and the profile, other tools `AWS_DEFAULT_REGION` too; and none must be no error. */
async function withRegion(create: (region: string | undefined) => Client): Promise<Client> {
  const named = [process.env['AWS_REGION'], process.env['AWS_DEFAULT_REGION']].find(Boolean);
  const client = create(named);
  try {
    await client.config.region();
    return client;
  } catch {
    client.destroy();
    return create(DEFAULT_REGION);
  }
}

/**
 * Moves the client to the region that a bucket answers it is in. The SDK's own `followRegionRedirects` asks the
 * wrong region first for every single request, and mixes regions up when two requests are redirected at once.
 */
function followToRegion(client: Client): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        const region = redirectedRegion(error);
        if (region === undefined) throw error;
        client.config.region = () => Promise.resolve(region);
        return await next(args);
      }
    },
    { step: 'initialize', name: 'followToRegion' },
  );
}

/** S3 answers 301, 307 or, to HEAD and wrongly signed requests, 400; each with the bucket's region. */
const REDIRECTS: readonly (number | undefined)[] = [301, 307, 400];

function redirectedRegion(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('$response' in error)) return undefined;
  const response = error.$response as { statusCode?: number; headers?: Record<string, string> } | undefined;
  const region = response?.headers?.['x-amz-bucket-region'];
  return REDIRECTS.includes(response?.statusCode) ? region : undefined;
}

let loadedBundle: { readonly path: string; readonly context: SecureContext } | undefined;

/**
 * Trusts what `AWS_CA_BUNDLE` names, as every other AWS tool does and the JavaScript SDK does not. Made once,
 * since parsing some hundred certificates for each connection is dear.
 */
export async function loadSecureContext(): Promise<SecureContext | undefined> {
  const path = process.env['AWS_CA_BUNDLE'];
  if (path === undefined || path === '') return undefined;
  if (loadedBundle?.path !== path) {
    // An explicit list replaces Node's, so what Node itself was told to trust must be named again.
    const extra = process.env['NODE_EXTRA_CA_CERTS'];
    const files = await Promise.all([
      readBundle('AWS_CA_BUNDLE', path),
      ...(extra === undefined || extra === '' ? [] : [readBundle('NODE_EXTRA_CA_CERTS', extra)]),
    ]);
    try {
      loadedBundle = { path, context: createSecureContext({ ca: [...rootCertificates, ...files] }) };
    } catch (error) {
      throw new EmbatchError(
        'USAGE',
        `AWS_CA_BUNDLE: ${path} holds no PEM certificates (${describeError(error)}).`,
        {
          cause: error,
        },
      );
    }
  }
  return loadedBundle.context;
}

async function readBundle(variable: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new EmbatchError(
      'USAGE',
      `${variable} names a file that cannot be read: ${describeError(error)}.`,
      {
        cause: error,
      },
    );
  }
}
