import http from 'node:http';
import https from 'node:https';
import { describeError, EmbatchError, systemErrorCode } from '../../core/errors.js';
import type { Abortable, Closable } from '../../core/interfaces.js';
import { sleep } from '../../core/streams.js';

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/**
 * Talks to the dashboard over `node:http`: Ray takes the global `fetch` for a browser, by a header that it always sends,
 * and refuses every POST of it. Any status is an answer but 401 and 403. Errors: USAGE for a token that is missing or
 * wrong, and where no dashboard answers; ENGINE, retryable, where nothing does.
 */
export interface RayClient extends Closable {
  readonly address: string;
  /** Asked again a few times where the answer is lost. */
  get(path: string, options?: Abortable): Promise<Answer>;
  /** Sent once: whether a request whose answer was lost has been carried out is for the caller to find out. */
  post(path: string, body: unknown, options?: Abortable): Promise<Answer>;
  /** Sent once. */
  delete(path: string, options?: Abortable): Promise<Answer>;
}

export interface RayClientOptions {
  readonly address: string;
  readonly token: string | undefined;
  readonly requestTimeoutMs?: number;
  readonly retryPauseMs?: number;
}

/** The first job of a cluster is answered after seconds: Ray starts a supervisor for it. */
const REQUEST_TIMEOUT_MS = 60_000;
const GET_ATTEMPTS = 4;
const RETRY_PAUSE_MS = 250;
const MAX_SOCKETS = 8;

export function createRayClient({
  address,
  token,
  requestTimeoutMs = REQUEST_TIMEOUT_MS,
  retryPauseMs = RETRY_PAUSE_MS,
}: RayClientOptions): RayClient {
  const secure = address.startsWith('https:');
  const agent = new (secure ? https : http).Agent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  const send = secure ? https.request : http.request;

  async function exchange(
    method: string,
    path: string,
    body: unknown,
    signal?: AbortSignal,
  ): Promise<Answer> {
    signal?.throwIfAborted();
    const content = body === undefined ? undefined : JSON.stringify(body);
    const headers: http.OutgoingHttpHeaders = {
      accept: 'application/json',
      'user-agent': 'embatch',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(content === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }),
    };
    try {
      const answer = await new Promise<Answer>((resolve, reject) => {
        const request = send(`${address}${path}`, { method, headers, agent, ...(signal && { signal }) });
        const timer = setTimeout(
          () => request.destroy(new Error(`no answer within ${requestTimeoutMs / 1000} s`)),
          requestTimeoutMs,
        );
        request.once('close', () => clearTimeout(timer));
        request.once('error', reject);
        request.once('response', (response) => {
          readText(response).then((text) => {
            resolve({ status: response.statusCode ?? 0, text });
          }, reject);
        });
        request.end(content);
      });
      refuseUnauthorized(answer, address, token);
      return answer;
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      throw error instanceof EmbatchError ? error : explainFailure(address, error);
    }
  }

  return {
    address,
    async get(path, { signal } = {}) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          const answer = await exchange('GET', path, undefined, signal);
          if (answer.status < 502 || answer.status > 504 || attempt === GET_ATTEMPTS) return answer;
        } catch (error) {
          const again = error instanceof EmbatchError && error.retryable && attempt < GET_ATTEMPTS;
          if (!again) throw error;
        }
        await sleep(retryPauseMs * 2 ** (attempt - 1), signal);
      }
    },
    post: (path, body, { signal } = {}) => exchange('POST', path, body, signal),
    delete: (path, { signal } = {}) => exchange('DELETE', path, undefined, signal),
    close: async () => {
      agent.destroy();
    },
  };
}

async function readText(response: http.IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer); // no encoding is set
  return Buffer.concat(pieces).toString('utf8');
}

function refuseUnauthorized({ status, text }: Answer, address: string, token: string | undefined): void {
  if (status !== 401 && status !== 403) return;
  const said = `${lastLine(text) || 'nothing more'} (HTTP ${status})`;
  const advice =
    token === undefined
      ? 'Set RAY_AUTH_TOKEN, or RAY_AUTH_TOKEN_PATH, to the token of this cluster'
      : 'The token in RAY_AUTH_TOKEN, or in the file of RAY_AUTH_TOKEN_PATH, is not that of this cluster';
  throw new EmbatchError('USAGE', `Ray at ${address} does not let us in: ${said}. ${advice}.`);
}

const certificateCodes = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/;

function explainFailure(address: string, cause: unknown): EmbatchError {
  const code = systemErrorCode(cause) ?? '';
  if (code.startsWith('HPE_')) return notRay(address, `it speaks no HTTP (${code})`, cause);
  if (code === 'EPROTO') return notRay(address, 'it speaks no TLS; is http:// meant?', cause);
  if (certificateCodes.test(code)) {
    return new EmbatchError(
      'USAGE',
      `The certificate of ${address} is not trusted: ${describeError(cause)}. Name the PEM file of its authority in NODE_EXTRA_CA_CERTS.`,
      { cause },
    );
  }
  return new EmbatchError(
    'ENGINE',
    `Ray cannot be reached at ${address}: ${describeError(cause)}. Check --address, and that the dashboard runs and listens there.`,
    { cause, retryable: true },
  );
}

/** Error for answers that no dashboard gives. */
export function notRay(address: string, why: string, cause?: unknown): EmbatchError {
  return new EmbatchError(
    'USAGE',
    `What answers at ${address} is no Ray dashboard: ${why}. Give the address of the dashboard in --address, by default port 8265 of the head node.`,
    { cause },
  );
}

/** Of a traceback or a log, what says most. */
export function lastLine(text: string): string {
  return (text.trim().split(/\r?\n/).at(-1) ?? '').trim().slice(0, MAX_LINE);
}

const MAX_LINE = 300;
