/**
 * Stands before a real OpenSearch and refuses what the vector collections of OpenSearch Serverless refuse: ids in
 * index and create actions, refreshes, `GET /` and the APIs of a cluster, unsigned requests. What is known of the
 * service comes from its guide and from reports (docs/sink-opensearch.md says which); nobody can run it here.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ServerlessOptions {
  readonly upstream: string;
  /** How soon writes show in a search; `-1`: not before somebody refreshes the upstream. */
  readonly refreshInterval: string;
}

export interface ServerlessProxy {
  readonly url: string;
  /** What was refused, as `POST /index/_refresh: why`. */
  readonly refusals: readonly string[];
  /** Refuses for a reason of the test's own; such refusals are not kept. */
  refuse: ((request: IncomingMessage) => { status: number; body: string } | undefined) | undefined;
  /** Runs before a request is passed on; throws to cut the connection. */
  before: ((request: IncomingMessage, body: string) => Promise<void> | void) | undefined;
  /** Runs when the upstream has answered; throws to keep the answer from the client. */
  after: ((request: IncomingMessage, body: string) => Promise<void> | void) | undefined;
  close(): Promise<void>;
}

interface Refusal {
  readonly status: number;
  readonly reason: string;
}

export async function startServerlessProxy(options: ServerlessOptions): Promise<ServerlessProxy> {
  const refusals: string[] = [];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const { method = 'GET', url = '/' } = request;
    const refusal = refusalOf(request, method, url, body);
    if (refusal !== undefined) {
      refusals.push(`${method} ${url}: ${refusal.reason}`);
      const error = { type: 'illegal_argument_exception', reason: refusal.reason };
      const said = refusal.status === 404 ? '' : JSON.stringify({ error, status: refusal.status });
      response.writeHead(refusal.status, { 'content-type': 'application/json' }).end(said);
      return;
    }
    const refused = proxy.refuse?.(request);
    if (refused !== undefined) {
      response.writeHead(refused.status, { 'content-type': 'application/json' }).end(refused.body);
      return;
    }
    await proxy.before?.(request, body.toString());
    const passed = isCreation(method, url) ? withSettings(body.toString(), options.refreshInterval) : body;
    const answered = await fetch(`${options.upstream}${url}`, {
      method,
      headers: { 'content-type': request.headers['content-type'] ?? 'application/json' },
      ...(passed.length === 0 ? {} : { body: passed }),
    });
    const text = await answered.text();
    await proxy.after?.(request, body.toString());
    response.writeHead(answered.status, { 'content-type': 'application/json' }).end(text);
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => {
      request.socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const proxy: ServerlessProxy = {
    url: `http://127.0.0.1:${String(port)}`,
    refusals,
    refuse: undefined,
    before: undefined,
    after: undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
  return proxy;
}

/** What the guide does not list, of what a client of a cluster might ask. */
const unknownPaths =
  /^\/($|\?)|\/_(refresh|flush|forcemerge|cluster|cat|nodes|tasks|alias|aliases|delete_by_query|update_by_query|reindex|stats|plugins)\b|\/_search\/scroll/;

function refusalOf(request: IncomingMessage, method: string, url: string, body: Buffer): Refusal | undefined {
  const { authorization = '', 'x-amz-content-sha256': hash } = request.headers;
  if (!/^AWS4-HMAC-SHA256 .*\/aoss\/aws4_request/.test(authorization) || hash !== sha256(body)) {
    return { status: 403, reason: 'not signed for aoss, or not with the hash of this body' };
  }
  if (unknownPaths.test(url)) return { status: 404, reason: 'no such API' };
  if (url.includes('/_bulk')) {
    if (method !== 'POST') return { status: 404, reason: 'no such API' };
    if (/[?&](require_alias|timeout|refresh)=/.test(url)) return { status: 400, reason: 'unknown parameter' };
    return refusedActions(body.toString());
  }
  if (/"(if_seq_no|seq_no_primary_term)"/.test(body.toString()))
    return { status: 400, reason: 'no sequence numbers' };
  return isCreation(method, url) ? refusedCreation(body.toString()) : undefined;
}

function refusedActions(body: string): Refusal | undefined {
  const lines = body.split('\n');
  for (let at = 0; at < lines.length && lines[at] !== ''; at++) {
    const [name, action] = Object.entries(JSON.parse(lines[at] ?? '') as Record<string, object>)[0] ?? [];
    if (name === 'delete' && action !== undefined && !('if_seq_no' in action)) continue;
    if ((name === 'index' || name === 'create') && action !== undefined && !('_id' in action)) {
      at++;
      continue;
    }
    return { status: 400, reason: 'Document ID is not supported in create/index operation request' };
  }
  return undefined;
}

function isCreation(method: string, url: string): boolean {
  return method === 'PUT' && /^\/[^/?]+$/.test(url);
}

function refusedCreation(body: string): Refusal | undefined {
  if (/number_of_(shards|replicas)/.test(body)) return { status: 400, reason: 'unknown setting' };
  return body.includes('"engine":"faiss"') ? undefined : { status: 400, reason: 'unknown engine' };
}

/** Two shards, so that they refresh at different times; no graph, for which the node has no library of faiss. */
function withSettings(body: string, refreshInterval: string): string {
  const creation = JSON.parse(body) as { settings: object };
  const settings = {
    ...creation.settings,
    'index.knn.advanced.approximate_threshold': -1,
    'index.refresh_interval': refreshInterval,
    'index.number_of_shards': 2,
    'index.number_of_replicas': 0,
  };
  return JSON.stringify({ ...creation, settings });
}

function sha256(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}
