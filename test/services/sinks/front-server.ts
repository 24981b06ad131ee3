import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFile } from 'node:fs/promises';
import {
  createServer as createPlainServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { testData } from '../../support/paths.js';

export const certificateFile = testData('tls/cert.pem');

export interface Refusal {
  readonly status: number;
  readonly body?: string;
}

export interface FrontOptions {
  readonly upstream: string;
  readonly tls?: boolean;
  /** Looks at each request with its whole body; undefined lets it through. */
  readonly refuse?: (request: IncomingMessage, body: Buffer) => Refusal | undefined;
  /** Runs before a request is passed on. */
  readonly before?: (request: IncomingMessage, body: Buffer) => Promise<void>;
  /**
   * How a connection is reset: `early`, after 413 was answered while the body still comes; `midway`, after the
   * client (which must be in this process) has seen the head of the answer.
   */
  readonly hangUp?: (request: IncomingMessage) => 'early' | 'midway' | undefined;
}

export interface Front {
  readonly url: string;
  close(): Promise<void>;
}

/** Stands before a plain server without accounts and plays one with TLS or with a doorkeeper. */
export async function startFront({
  upstream,
  tls = false,
  hangUp,
  ...doorkeeper
}: FrontOptions): Promise<Front> {
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const hang = hangUp?.(request);
    if (hang !== undefined) {
      reset(hang, request, response);
      return;
    }
    pass(upstream, doorkeeper, request, response).catch((error: unknown) => {
      response.destroy(error as Error);
    });
  };
  const server: Server = tls
    ? createTlsServer(
        {
          key: await readFile(testData('tls/key.pem')),
          cert: await readFile(certificateFile),
        },
        answer,
      )
    : createPlainServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${String(port)}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

async function pass(
  upstream: string,
  { refuse, before }: Pick<FrontOptions, 'refuse' | 'before'>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const refusal = refuse?.(request, body);
  if (refusal !== undefined) {
    response.writeHead(refusal.status, { 'content-type': 'application/json' }).end(refusal.body);
    return;
  }
  await before?.(request, body);
  const passed = ['content-type', 'content-encoding'].flatMap((name) => {
    const value = request.headers[name];
    return typeof value === 'string' ? [[name, value]] : [];
  });
  const answer = await fetch(`${upstream}${request.url ?? '/'}`, {
    method: request.method ?? 'GET',
    headers: Object.fromEntries(passed) as Record<string, string>,
    ...(body.length === 0 ? {} : { body }),
  });
  const text = await answer.text();
  response.writeHead(answer.status, {
    'content-type': answer.headers.get('content-type') ?? 'application/json',
  });
  response.end(text);
}

function reset(kind: 'early' | 'midway', request: IncomingMessage, response: ServerResponse): void {
  if (kind === 'early') {
    response.writeHead(413, { 'content-length': '0' }).end(() => request.socket.resetAndDestroy());
    return;
  }
  const onHead = (message: unknown): void => {
    const { response: seen } = message as { response: IncomingMessage };
    if (seen.socket.localPort !== request.socket.remotePort) return;
    unsubscribe(headSeen, onHead);
    request.socket.resetAndDestroy();
  };
  subscribe(headSeen, onHead);
  request.resume();
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' }).write('{"took":');
}

/** Where Node tells that a client of this process has seen the head of an answer. */
const headSeen = 'http.client.response.finish';
