import { EmbatchError } from '../../core/errors.js';
import type { Engine, IndexSettings } from './mapping.js';
import type { LayoutName } from './layouts.js';

/** `auto`: basic where a user name is set, SigV4 for hosts of the AWS services, else none. */
export const authModes = ['auto', 'basic', 'sigv4-es', 'sigv4-aoss', 'none'] as const;
export type AuthMode = (typeof authModes)[number];

export interface OpenSearchOptions {
  readonly auth?: AuthMode | undefined;
  /** For SigV4; else what the host's name says, `AWS_REGION` or `AWS_DEFAULT_REGION`. */
  readonly region?: string | undefined;
  /** PEM file of certificates to trust beside those that Node knows. */
  readonly caFile?: string | undefined;
  /** Field names; by default those of the index that is there, else `langchain`. */
  readonly layout?: LayoutName | undefined;
  /** What builds the graph; fixed when the index is made. */
  readonly engine?: Engine | undefined;
  readonly hnswM?: number | undefined;
  readonly hnswEfConstruction?: number | undefined;
  /** Of a new index; left to the cluster where not given. */
  readonly shards?: number | undefined;
  readonly replicas?: number | undefined;
  /** Upper bounds of one bulk request. */
  readonly maxRows?: number | undefined;
  readonly maxBytes?: number | undefined;
  /** Bulk requests under way at once; fewer while the cluster is overloaded. */
  readonly concurrency?: number | undefined;
  /** An answer must be complete within this time, else the request counts as lost and is repeated. */
  readonly requestTimeoutMs?: number | undefined;
  /** How long nothing at all may be accepted before the sink gives up. */
  readonly patienceMs?: number | undefined;
  /** gzip of request bodies. */
  readonly compression?: boolean | undefined;
  /** Writes go through an alias of ours, see write-alias.ts. Off for roles that may not make aliases. */
  readonly writeAlias?: boolean | undefined;
  /** The service chooses ids itself, see rows-by-field.ts; by default known by the host's name, or by `sigv4-aoss`. */
  readonly serverless?: boolean | undefined;
  /** Serverless: how often it is asked whether writes show in a search, and for how long. */
  readonly visiblePollMs?: number | undefined;
  readonly visibleWaitMs?: number | undefined;
  /** Serverless: after this time whatever was written shows, and a new index is known everywhere. */
  readonly shownWithinMs?: number | undefined;
  /** First wait before a request is repeated, after an overload and after a block that needs an operator. */
  readonly retryPauseMs?: number | undefined;
  readonly blockedPauseMs?: number | undefined;
}

export type Auth =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'sigv4'; readonly service: 'es' | 'aoss'; readonly region: string };

/** Where and how to connect, checked; nothing has been sent yet. */
export interface Connection {
  /** `https://host:9200`, with a path where the cluster lies behind one. */
  readonly node: string;
  readonly index: string;
  /** What messages say; without secrets. */
  readonly uri: string;
  readonly auth: Auth;
}

/** The whole configuration with defaults filled in. */
export interface Config extends Connection {
  readonly caFile: string | undefined;
  readonly layout: LayoutName | undefined;
  readonly settings: IndexSettings;
  readonly maxRows: number;
  readonly maxBytes: number;
  readonly concurrency: number;
  readonly requestTimeoutMs: number;
  readonly patienceMs: number;
  readonly compression: boolean;
  readonly writeAlias: boolean;
  readonly serverless: boolean;
  readonly visiblePollMs: number;
  readonly visibleWaitMs: number;
  readonly shownWithinMs: number;
  readonly retryPauseMs: number;
  readonly blockedPauseMs: number;
}

const DEFAULT_PORT = 9200;
/** Half of the smallest limit among managed instance types (10 MiB), and what the documentation advises. */
const DEFAULT_MAX_BYTES = 5_000_000;
const DEFAULT_MAX_ROWS = 1000;
const DEFAULT_CONCURRENCY = 4;
const DEFAULT_REQUEST_TIMEOUT_MS = 60_000;
const DEFAULT_PATIENCE_MS = 600_000;
const DEFAULT_RETRY_PAUSE_MS = 250;
const DEFAULT_BLOCKED_PAUSE_MS = 10_000;
const DEFAULT_VISIBLE_POLL_MS = 5_000;
/** Says the guide of the service. */
const DEFAULT_SHOWN_WITHIN_MS = 60_000;
/** Thrice that, before a warning. */
const DEFAULT_VISIBLE_WAIT_MS = 180_000;
const MAX_INDEX_NAME_BYTES = 255;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `opensearch://host:9200/index` (TLS), `opensearch+http://host:9200/index` (plain), or `opensearch:///index`
 * with the address in `OPENSEARCH_URL`. A path before the index belongs to the cluster's address. Error: USAGE.
 */
export function parseConfig(uri: string, options: OpenSearchOptions, env: Environment): Config {
  const connection = parseConnection(uri, options, env);
  const { auth, node } = connection;
  const serverless =
    options.serverless ??
    ((auth.kind === 'sigv4' && auth.service === 'aoss') || awsService(new URL(node).hostname) === 'aoss');
  if (serverless && (options.shards ?? options.replicas) !== undefined) {
    throw usage(
      `${connection.uri} is OpenSearch Serverless, which chooses shards and replicas itself`,
      'leave --index-shards and --index-replicas out',
    );
  }
  return {
    ...connection,
    caFile: options.caFile,
    layout: options.layout,
    settings: {
      // The only engine that both generations of Serverless know.
      engine: serverless ? 'faiss' : (options.engine ?? 'lucene'),
      m: options.hnswM ?? 16,
      efConstruction: options.hnswEfConstruction ?? 100,
      shards: options.shards,
      replicas: options.replicas,
    },
    maxBytes: options.maxBytes ?? DEFAULT_MAX_BYTES,
    maxRows: options.maxRows ?? DEFAULT_MAX_ROWS,
    concurrency: options.concurrency ?? DEFAULT_CONCURRENCY,
    requestTimeoutMs: options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS,
    patienceMs: options.patienceMs ?? DEFAULT_PATIENCE_MS,
    compression: options.compression ?? false,
    writeAlias: options.writeAlias ?? !serverless,
    serverless,
    visiblePollMs: options.visiblePollMs ?? DEFAULT_VISIBLE_POLL_MS,
    visibleWaitMs: options.visibleWaitMs ?? DEFAULT_VISIBLE_WAIT_MS,
    shownWithinMs: options.shownWithinMs ?? DEFAULT_SHOWN_WITHIN_MS,
    retryPauseMs: options.retryPauseMs ?? DEFAULT_RETRY_PAUSE_MS,
    blockedPauseMs: options.blockedPauseMs ?? DEFAULT_BLOCKED_PAUSE_MS,
  };
}

function parseConnection(uri: string, options: OpenSearchOptions, env: Environment): Connection {
  const match = /^opensearch(\+http)?:\/\/([^/?#]*)\/?([^?#]*)(.*)$/s.exec(uri);
  if (!match) {
    throw usage(`'${withoutUserInfo(uri)}' is not an OpenSearch URI`, `write opensearch://HOST:9200/INDEX`);
  }
  const [, plain, authority = '', path = '', rest = ''] = match;
  if (authority.includes('@')) {
    throw usage(
      `${withoutUserInfo(uri)} carries credentials, which end up in logs and process lists`,
      'take them out and set OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD',
    );
  }
  if (rest !== '') {
    throw usage(`${uri} ends in '${rest}', which means nothing here`, 'give settings as options');
  }
  const segments = path.split('/').filter((segment) => segment !== '');
  const index = parseIndexName(segments.pop(), uri);
  const base =
    authority === '' ? fromEnvironment(uri, env) : fromAuthority(authority, plain !== undefined, uri);
  base.pathname = [...base.pathname.split('/').filter((segment) => segment !== ''), ...segments].join('/');
  const auth = chooseAuth(base, options, env);
  base.username = '';
  base.password = '';
  const node = base.href.replace(/\/$/, '');
  const shown = node.replace(/^https:/, 'opensearch:').replace(/^http:/, 'opensearch+http:');
  return { node, index, uri: `${shown}/${index}`, auth };
}

function fromAuthority(authority: string, plain: boolean, uri: string): URL {
  const scheme = plain ? 'http' : 'https';
  const url = URL.canParse(`${scheme}://${authority}`) ? new URL(`${scheme}://${authority}`) : undefined;
  if (url === undefined)
    throw usage(`${uri}: '${authority}' is not a host and port`, 'write HOST or HOST:9200');
  // The managed services listen where browsers do; the standard port of a scheme does not show in `url.port`.
  const hasPort = /:\d+$/.test(authority);
  if (!hasPort && awsService(url.hostname) === undefined) url.port = String(DEFAULT_PORT);
  return url;
}

function fromEnvironment(uri: string, env: Environment): URL {
  const value = env['OPENSEARCH_URL'];
  if (value === undefined || value === '') {
    throw usage(
      `${uri} names no host and OPENSEARCH_URL is not set`,
      'set it, or write opensearch://HOST:9200/INDEX',
    );
  }
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw usage(
      `OPENSEARCH_URL is '${withoutUserInfo(value)}'`,
      'set it to https://HOST:9200 or http://HOST:9200',
    );
  }
  return url;
}

/** The rules of the cluster, checked here because wildcards and lists would reach other indices. */
function parseIndexName(segment: string | undefined, uri: string): string {
  if (segment === undefined) throw usage(`${uri} names no index`, 'write opensearch://HOST:9200/INDEX');
  let name: string;
  try {
    name = decodeURIComponent(segment);
  } catch {
    name = segment;
  }
  const allowed =
    !/[\s\\/*?"<>|,#:%]/.test(name) &&
    name === name.toLowerCase() &&
    !/^[-_+.]/.test(name) &&
    Buffer.byteLength(name) <= MAX_INDEX_NAME_BYTES;
  if (!allowed) {
    throw usage(
      `'${name}' cannot name an index`,
      `use lower case, at most ${MAX_INDEX_NAME_BYTES} bytes, none of \\ / * ? " < > | , # : % and white space, ` +
        'and no - _ + . in front',
    );
  }
  return name;
}

function chooseAuth(url: URL, options: OpenSearchOptions, env: Environment): Auth {
  const username = nonEmpty(env['OPENSEARCH_USERNAME']) ?? nonEmpty(decodeURIComponent(url.username));
  const password = nonEmpty(env['OPENSEARCH_PASSWORD']) ?? nonEmpty(decodeURIComponent(url.password));
  const service = awsService(url.hostname);
  const mode = options.auth ?? 'auto';
  const chosen =
    mode !== 'auto' ? mode : username !== undefined ? 'basic' : service ? `sigv4-${service}` : 'none';
  if (chosen === 'none') return { kind: 'none' };
  if (chosen === 'basic') {
    if (username !== undefined && password !== undefined) return { kind: 'basic', username, password };
    const missing = username === undefined ? 'OPENSEARCH_USERNAME' : 'OPENSEARCH_PASSWORD';
    throw usage(`basic authentication without ${missing}`, 'set OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD');
  }
  const region =
    options.region ??
    awsRegion(url.hostname) ??
    nonEmpty(env['AWS_REGION']) ??
    nonEmpty(env['AWS_DEFAULT_REGION']);
  if (region === undefined) {
    throw usage(`requests to ${url.hostname} are to be signed, and no region is known`, 'set AWS_REGION');
  }
  return { kind: 'sigv4', service: chosen === 'sigv4-es' ? 'es' : 'aoss', region };
}

/** Public names are `NAME.REGION.es.amazonaws.com` and `ID.REGION.aoss.amazonaws.com`, `.com.cn` in China. */
const awsHost = /(?:^|\.)([a-z0-9-]+)\.(es|aoss)\.amazonaws\.com(?:\.cn)?$/;

function awsService(host: string): 'es' | 'aoss' | undefined {
  return awsHost.exec(host)?.[2] as 'es' | 'aoss' | undefined;
}

function awsRegion(host: string): string | undefined {
  return awsHost.exec(host)?.[1];
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

function withoutUserInfo(uri: string): string {
  return uri.replace(/\/\/[^/]*@/, '//');
}

function usage(what: string, todo: string): EmbatchError {
  return new EmbatchError('USAGE', `${what}: ${todo}.`);
}
