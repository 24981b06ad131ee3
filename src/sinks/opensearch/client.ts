import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import type { Client, ClientOptions, Serializer } from '@opensearch-project/opensearch';
import { EmbatchError, describeError, systemErrorCode } from '../../core/errors.js';
import type { Abortable, Closable, Logger } from '../../core/interfaces.js';
import type { Config } from './config.js';
import { createCredentialCache, type CredentialCache } from './credentials.js';
import { RequestFailure, ownTypes, parseRefusal } from './failure.js';
import { quietConnection } from './quiet-connection.js';

export interface ClusterRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Segments of the path; each is escaped. */
  readonly path: readonly string[];
  readonly query?: Readonly<Record<string, string>>;
  /** A Buffer is newline-delimited JSON; anything else is sent as JSON. */
  readonly body?: object;
}

/** One request, one try: retries are the callers' business, each has its own idea of them. */
export interface Cluster extends Closable {
  /** The parsed body of a 2xx answer. Error: RequestFailure. */
  request(request: ClusterRequest, options?: Abortable): Promise<unknown>;
}

/** Loads the client (and, for SigV4, the credential chain) when called. USAGE: the CA file cannot be read. */
export async function connect(config: Config, log: Logger): Promise<Cluster> {
  const library = await import('@opensearch-project/opensearch');
  const signing = config.auth.kind === 'sigv4' ? await createSigner(config.auth) : undefined;
  const options: ClientOptions = {
    node: config.node,
    Serializer: lenientSerializer(library.Serializer),
    Connection: quietConnection(signing?.Connection ?? library.Connection, log),
    requestTimeout: config.requestTimeoutMs,
    maxRetries: 0,
    // The default pings a node that failed with HEAD /, which not every service has.
    resurrectStrategy: 'none',
    ...(signing === undefined ? {} : { Transport: signing.Transport }),
    ...(config.caFile === undefined ? {} : { ssl: { ca: await readTrusted(config.caFile) } }),
    ...(config.auth.kind === 'basic'
      ? { auth: { username: config.auth.username, password: config.auth.password } }
      : {}),
    ...(config.compression ? { compression: 'gzip' as const } : {}),
  };
  return createCluster(new library.Client(options), config.requestTimeoutMs, signing?.credentials);
}

/** A body that says that it is JSON and is not: broken off, or a proxy's. */
class NotJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/**
 * The client's own throws where a body is not JSON, and the status is lost with it; and where a record has a
 * field `__proto__`, which here never becomes a prototype.
 */
function lenientSerializer(Base: typeof Serializer): typeof Serializer {
  return class extends Base {
    override deserialize(text: string): unknown {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        return new NotJson(text);
      }
    }
  };
}

async function createSigner({ service, region }: { service: 'es' | 'aoss'; region: string }) {
  const { AwsSigv4Signer } = await import('@opensearch-project/opensearch/aws-v3');
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node');
  const credentials = createCredentialCache(defaultProvider());
  const signer = AwsSigv4Signer({ service, region, getCredentials: () => credentials.get() });
  return { ...signer, credentials };
}

async function readTrusted(caFile: string): Promise<string[]> {
  let pem: string;
  try {
    pem = await readFile(caFile, 'utf8');
  } catch (error) {
    throw new EmbatchError('USAGE', `The CA file of the sink cannot be read: ${describeError(error)}.`, {
      cause: error,
    });
  }
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) {
    throw new EmbatchError(
      'USAGE',
      `${caFile} holds no certificate in PEM form ('-----BEGIN CERTIFICATE-----').`,
    );
  }
  return [...rootCertificates, pem];
}

function createCluster(client: Client, timeoutMs: number, credentials: CredentialCache | undefined): Cluster {
  async function tryOnce(request: ClusterRequest, signal: AbortSignal | undefined): Promise<unknown> {
    signal?.throwIfAborted();
    const sent = client.transport.request({
      method: request.method,
      path: `/${request.path.map(encodeURIComponent).join('/')}`,
      ...(request.query === undefined ? {} : { querystring: { ...request.query } }),
      ...(request.body instanceof Buffer ? { bulkBody: request.body } : {}),
      ...(request.body !== undefined && !(request.body instanceof Buffer) ? { body: request.body } : {}),
    });
    const expiry = new AbortController();
    const onAbort = (): void => {
      sent.abort();
    };
    // The client's own timeout counts silence on the socket: an answer that trickles would never end.
    const timer = setTimeout(() => {
      expiry.abort();
      sent.abort();
    }, timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const body: unknown = (await sent).body;
      if (body instanceof NotJson) throw new RequestFailure(ownTypes.brokenAnswer, 'the answer is not JSON');
      return body;
    } catch (error) {
      signal?.throwIfAborted();
      throw expiry.signal.aborted ? timeoutFailure(timeoutMs) : toFailure(error, timeoutMs);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  let closing: Promise<void> | undefined;
  return {
    async request(request, options) {
      const generation = credentials?.generation ?? 0;
      try {
        return await tryOnce(request, options?.signal);
      } catch (error) {
        if (credentials === undefined || !isCredentialRefusal(error)) throw error;
        credentials.forget(generation);
        return tryOnce(request, options?.signal);
      }
    },
    // The client never answers to a second `close`.
    close: () => (closing ??= client.close()),
  };
}

function isCredentialRefusal(error: unknown): boolean {
  if (!(error instanceof RequestFailure)) return false;
  return (
    error.status === 401 ||
    (error.status === 403 && /token|expired|signature|credential/i.test(error.message))
  );
}

function timeoutFailure(timeoutMs: number): RequestFailure {
  return new RequestFailure(ownTypes.timeout, `no whole answer within ${timeoutMs} ms`);
}

/** The client's errors hold the whole request, secrets and megabytes included: only their words are kept. */
function toFailure(error: unknown, timeoutMs: number): RequestFailure {
  if (error instanceof RequestFailure) return error;
  const { name, meta } = error as {
    name?: string;
    meta?: { statusCode?: number; headers?: unknown; body?: unknown };
  };
  if (name === 'ResponseError' && meta?.statusCode !== undefined) {
    const refusal = parseRefusal(meta.body instanceof NotJson ? meta.body.text : meta.body);
    return new RequestFailure(refusal.error?.type ?? '', refusal.words, {
      status: meta.statusCode,
      retryAfterMs: parseRetryAfter((meta.headers as Record<string, unknown> | null)?.['retry-after']),
      error: refusal.error,
    });
  }
  if (name === 'TimeoutError') return timeoutFailure(timeoutMs);
  if (name === 'DeserializationError')
    return new RequestFailure(ownTypes.brokenAnswer, 'the answer is not JSON');
  const cause = error instanceof Error ? error.cause : undefined;
  const told = describeError(cause ?? error);
  // OpenSSL's words lie between addresses and its own source lines.
  const words = /:SSL routines:[^:]*:([^:]+):/.exec(told)?.[1] ?? told;
  return new RequestFailure(systemErrorCode(cause) ?? ownTypes.brokenAnswer, words);
}

/** Seconds, or an HTTP date; in ms from now. */
export function parseRetryAfter(value: unknown, now = Date.now()): number | undefined {
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
