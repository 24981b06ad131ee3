import { describeError, systemErrorCode } from '../../core/errors.js';
import type { Abortable } from '../../core/interfaces.js';

export interface HttpRequest extends Abortable {
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as `Authorization: Bearer`, to the origin of the first URL only. */
  readonly token?: string | undefined;
  /** Gives back a redirect to another host instead of following it. */
  readonly stayHome?: boolean;
  /** The answer, and each piece of its body, must begin to arrive within this time. */
  readonly idleTimeoutMs: number;
}

export interface HttpAnswer {
  readonly status: number;
  /** Of the last answer; what only the first of several redirecting hosts says is in `first`. */
  readonly headers: Headers;
  readonly first: Headers;
  /** Once; must be read to the end or returned. Pieces of any size. */
  body(): AsyncIterable<Uint8Array>;
  /** For small bodies. Error: {@link BrokenError} past `maxBytes`. */
  text(maxBytes?: number): Promise<string>;
  /** Ends the connection where the body is of no interest. */
  discard(): Promise<void>;
}

/** The connection could not be made, broke, or fell silent: the same request may succeed later. */
export class BrokenError extends Error {
  override readonly name = 'BrokenError';
}

/** What would fail again: a certificate that is not trusted, a redirect that leads nowhere. */
export class UnusableError extends Error {
  override readonly name = 'UnusableError';
}

const MAX_REDIRECTS = 10;
const MAX_TEXT_BYTES = 64 * 2 ** 20;

/**
 * Sends one request and follows redirects itself: so that the token stays with the host it is for, a redirect never
 * leaves TLS, and the headers of the first host are seen. Addresses that storage hosts sign are in no error.
 */
export async function sendHttp(url: string, request: HttpRequest): Promise<HttpAnswer> {
  const home = new URL(url);
  let target = home;
  let first: Headers | undefined;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const idle = createIdleTimer(request.idleTimeoutMs);
    const response = await sendOnce(target, target.origin === home.origin, request, idle);
    first ??= response.headers;
    const location = response.headers.get('location');
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) {
      return createAnswer(response, first, request, idle);
    }
    const next = URL.canParse(location, target.href) ? new URL(location, target) : undefined;
    if (request.stayHome === true && next?.origin !== home.origin) {
      return createAnswer(response, first, request, idle);
    }
    idle.stop();
    await response.body?.cancel();
    if (next === undefined) throw new UnusableError(`${target.host} redirects to no address`);
    if (
      !['http:', 'https:'].includes(next.protocol) ||
      (home.protocol === 'https:' && next.protocol === 'http:')
    )
      throw new UnusableError(
        `${target.host} redirects to ${next.protocol}//${next.host}, which is not safe`,
      );
    target = next;
  }
  throw new UnusableError(`${home.host} redirects more than ${MAX_REDIRECTS} times`);
}

async function sendOnce(
  target: URL,
  isHome: boolean,
  request: HttpRequest,
  idle: IdleTimer,
): Promise<Response> {
  const { signal } = request;
  signal?.throwIfAborted();
  idle.restart();
  try {
    return await fetch(target.href, {
      method: request.method ?? 'GET',
      redirect: 'manual',
      headers: {
        'user-agent': 'embatch',
        // Sizes and ranges count bytes as they are stored.
        'accept-encoding': 'identity',
        ...request.headers,
        ...(request.token === undefined || !isHome ? {} : { authorization: `Bearer ${request.token}` }),
      },
      signal: signal === undefined ? idle.signal : AbortSignal.any([signal, idle.signal]),
    });
  } catch (error) {
    idle.stop();
    signal?.throwIfAborted();
    throw explained(error, target, idle);
  }
}

function createAnswer(response: Response, first: Headers, request: HttpRequest, idle: IdleTimer): HttpAnswer {
  const host = new URL(response.url).host;
  const target = new URL(response.url);

  async function* body(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      if (response.body === null) return;
      for await (const piece of response.body as AsyncIterable<Uint8Array>) {
        // What the reader does with a piece takes its own time.
        idle.stop();
        yield piece;
        idle.restart();
      }
    } catch (error) {
      request.signal?.throwIfAborted();
      throw explained(error, target, idle);
    } finally {
      idle.stop();
    }
  }

  return {
    status: response.status,
    headers: response.headers,
    first,
    body,
    async text(maxBytes = MAX_TEXT_BYTES) {
      const pieces: Uint8Array[] = [];
      let bytes = 0;
      for await (const piece of body()) {
        bytes += piece.byteLength;
        if (bytes > maxBytes) throw new UnusableError(`${host} answered with more than ${maxBytes} bytes`);
        pieces.push(piece);
      }
      return Buffer.concat(pieces).toString('utf8');
    },
    async discard() {
      idle.stop();
      await response.body?.cancel();
    },
  };
}

interface IdleTimer {
  readonly signal: AbortSignal;
  readonly expired: boolean;
  readonly ms: number;
  restart(): void;
  stop(): void;
}

function createIdleTimer(ms: number): IdleTimer {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    clearTimeout(timer);
  };
  return {
    signal: controller.signal,
    get expired() {
      return controller.signal.aborted;
    },
    ms,
    restart() {
      stop();
      timer = setTimeout(() => {
        controller.abort();
      }, ms).unref();
    },
    stop,
  };
}

const certificateCodes = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/;
/** Of Node's HTTP parser, and of its TLS. */
const otherProtocolCodes = /^HPE_|^EPROTO$|^ERR_SSL_/;

function explained(error: unknown, { host, protocol }: URL, idle: IdleTimer): Error {
  if (idle.expired) return new BrokenError(`${host} was silent for ${idle.ms / 1000} s`, { cause: error });
  const code = systemErrorCode(error);
  // The messages of fetch itself say nothing ("fetch failed", "terminated").
  if (code === undefined) {
    const reason =
      error instanceof Error && error.cause !== undefined ? describeError(error.cause) : describeError(error);
    return new UnusableError(`the request to ${host} failed (${reason})`, { cause: error });
  }
  if (certificateCodes.test(code)) {
    const advice = 'name the PEM file of its authority in NODE_EXTRA_CA_CERTS';
    return new UnusableError(`${host} has a certificate that is not trusted (${code}); ${advice}`, {
      cause: error,
    });
  }
  if (otherProtocolCodes.test(code)) {
    const other = protocol === 'https:' ? 'http://' : 'https://';
    return new UnusableError(`${host} does not speak ${protocol}// (${code}); is it ${other}?`, {
      cause: error,
    });
  }
  return new BrokenError(`the connection to ${host} failed (${code})`, { cause: error });
}

/** True where no connection came about at all: a wrong address more often than an outage. */
export function isUnreachable(error: unknown): boolean {
  const codes = [
    'ECONNREFUSED',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'UND_ERR_CONNECT_TIMEOUT',
  ];
  return error instanceof BrokenError && codes.includes(systemErrorCode(error) ?? '');
}
