import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { finished } from 'node:stream/promises';
import { afterEach } from 'node:test';
import { duringTests } from './during-tests.js';
import { refuseRows } from './fault-proxy-bulk.js';

/** A request as the proxy saw it; the body is passed through and not kept. */
export interface SeenRequest {
  readonly method: string;
  /** Path and query as sent, percent-encoded. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export type Fault =
  /** Answers itself; the upstream is not asked. */
  | {
      readonly kind: 'respond';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  /** Closes the connection instead of answering. */
  | { readonly kind: 'drop' }
  /** Passes on the head and the first `bytes` of the upstream's body, then resets the connection. */
  | { readonly kind: 'cut'; readonly bytes: number }
  /** Passes on the head and the first `bytes` of the upstream's body, then falls silent. */
  | { readonly kind: 'stall'; readonly bytes: number }
  /** Waits for `until` before the request is passed on. */
  | { readonly kind: 'hold'; readonly until: () => Promise<unknown> }
  /** Passes on the whole answer, then says so. */
  | { readonly kind: 'tell'; readonly done: () => unknown }
  /** A bulk request of OpenSearch of which some rows are refused: the upstream gets and answers the others. */
  | { readonly kind: 'refuse-rows'; readonly refuses: RefusesRow }
  /** Passes on the upstream's answer without these headers (lower case), or with others in their place. */
  | { readonly kind: 'headers'; readonly set: Readonly<Record<string, string | undefined>> }
  /** Passes on the request without these headers (lower case): plays a store that ignores them. */
  | { readonly kind: 'ignore'; readonly headers: readonly string[] };

export interface Refusal {
  readonly status: number;
  readonly error: { readonly type: string; readonly reason: string };
  /** The whole request is refused because of this row. */
  readonly ofRequest?: boolean;
}

/** A row of a bulk request by its place and its text as sent. */
export type RefusesRow = (row: number, source: string) => Refusal | undefined;

export interface Rule {
  readonly fault: Fault;
  /** Requests that the rule is for; without, all. */
  readonly when?: (request: SeenRequest) => boolean;
  /** How often the rule applies; without, always. */
  readonly times?: number;
}

export interface FaultProxy {
  /** `http://127.0.0.1:port`, to be used in place of the upstream's. */
  readonly url: string;
  /** Every request, in order, with the fault it met. */
  readonly requests: readonly (SeenRequest & { readonly fault: Fault['kind'] | undefined })[];
  /** Connections that are open. */
  readonly connections: () => Promise<number>;
  /** The first rule that fits and is not used up applies. */
  add(rule: Rule): void;
  /** Ends all connections and refuses new ones, as a server does that is down. */
  down(): Promise<void>;
  /** Is there again, at the same address. */
  up(): Promise<void>;
  /** Forgets all rules and requests. */
  reset(): void;
  close(): Promise<void>;
}

/** Forwards HTTP to `upstream` and plays the faults that real servers cannot be made to show. */
export async function startFaultProxy(upstream: string): Promise<FaultProxy> {
  const rules: { readonly rule: Rule; used: number }[] = [];
  const requests: (SeenRequest & { readonly fault: Fault['kind'] | undefined })[] = [];

  const faultFor = (seen: SeenRequest): Fault | undefined => {
    const match = rules.find(
      ({ rule, used }) => used < (rule.times ?? Infinity) && (rule.when === undefined || rule.when(seen)),
    );
    if (match !== undefined) match.used++;
    return match?.rule.fault;
  };

  const server = createServer((incoming, outgoing) => {
    const seen: SeenRequest = {
      method: incoming.method ?? '',
      url: incoming.url ?? '',
      headers: incoming.headers,
    };
    const fault = faultFor(seen);
    requests.push({ ...seen, fault: fault?.kind });
    answer(upstream, fault, incoming, outgoing).catch((error: unknown) => {
      outgoing.destroy(error as Error);
    });
  });
  const listen = (at: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(at, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
      });
    });
  const unlisten = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => {
        resolve();
      });
      server.closeAllConnections();
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${String(port)}`,
    requests,
    connections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => {
          if (error === null) resolve(count);
          else reject(error);
        });
      }),
    add(rule) {
      rules.push({ rule, used: 0 });
    },
    reset() {
      rules.length = 0;
      requests.length = 0;
    },
    down: unlisten,
    up: () => listen(port),
    close: unlisten,
  };
}

/** One for all tests of a file or a `describe`; after each of them it forgets its rules and requests. */
export function faultProxyDuringTests(upstream: () => string, skip: string | false): FaultProxy {
  const proxy = duringTests(
    skip,
    () => startFaultProxy(upstream()),
    (started) => started.close(),
  );
  if (skip === false) {
    afterEach(() => {
      proxy.reset();
    });
  }
  return proxy;
}

async function answer(
  upstream: string,
  fault: Fault | undefined,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  if (fault?.kind === 'respond') {
    incoming.resume();
    outgoing.writeHead(fault.status, { 'content-type': 'application/xml', ...fault.headers });
    outgoing.end(incoming.method === 'HEAD' ? undefined : fault.body);
    return;
  }
  if (fault?.kind === 'drop') {
    incoming.socket.destroy();
    return;
  }
  if (fault?.kind === 'hold') await fault.until();
  if (fault?.kind === 'refuse-rows') {
    await refuseRows(upstream, fault.refuses, incoming, outgoing);
    return;
  }
  const headers = { ...incoming.headers };
  if (fault?.kind === 'ignore') for (const name of fault.headers) Reflect.deleteProperty(headers, name);
  const response = await send(upstream, incoming, headers);
  if (fault?.kind === 'tell') outgoing.once('finish', fault.done);
  const replaced = fault?.kind === 'headers' ? fault.set : {};
  const answered = Object.entries({ ...response.headers, ...replaced }).filter(
    ([, value]) => value !== undefined,
  );
  outgoing.writeHead(response.statusCode ?? 502, Object.fromEntries(answered) as Record<string, string>);
  if (fault?.kind === 'cut' || fault?.kind === 'stall') await passPartly(response, outgoing, fault);
  else response.pipe(outgoing);
}

/** The Host header stays the proxy's own: it is what the client signed. */
function send(
  upstream: string,
  incoming: IncomingMessage,
  headers: IncomingMessage['headers'],
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(upstream);
    const { method, url: path } = incoming;
    const outbound = forward({ hostname, port, method, path, headers }, resolve);
    outbound.on('error', reject);
    // A client that is gone before its request was whole must not keep the upstream waiting for the rest.
    pipeline(incoming, outbound, (error) => {
      if (error) reject(error);
    });
  });
}

async function passPartly(
  response: IncomingMessage,
  outgoing: ServerResponse,
  { kind, bytes }: { readonly kind: 'cut' | 'stall'; readonly bytes: number },
): Promise<void> {
  outgoing.flushHeaders();
  let left = bytes;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    const part = chunk.subarray(0, left);
    left -= part.byteLength;
    if (part.byteLength > 0)
      await new Promise<void>((sent) =>
        outgoing.write(part, () => {
          sent();
        }),
      );
    if (left === 0) break;
  }
  if (kind === 'cut') outgoing.destroy();
  else await finished(outgoing).catch(() => undefined);
}
