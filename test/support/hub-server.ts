import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, posix } from 'node:path';
import type { TestContext } from 'node:test';

export type HubFiles = Readonly<Record<string, Buffer | string>>;

export interface HubModel {
  /** Branches and tags, and the commit that each stands for. */
  readonly refs: Record<string, string>;
  /** Files of each commit. */
  readonly commits: Record<string, HubFiles>;
  /** Who may read it; without, everybody. */
  readonly access?: { readonly token: string; readonly kind: 'private' | 'gated' };
}

export interface SeenHubRequest {
  /** `cdn` is what large files are redirected to. */
  readonly host: 'hub' | 'cdn';
  readonly method: string;
  /** Path and query as sent, percent-encoded. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  /** Bytes of the body that were handed to the connection. */
  sent: number;
}

export type HubFault =
  | { readonly kind: 'respond'; readonly status: number; readonly headers?: Record<string, string> }
  /** Sends the first `bytes` of the body, then resets the connection. */
  | { readonly kind: 'cut'; readonly bytes: number }
  /** Sends the first `bytes` of the body, then falls silent. */
  | { readonly kind: 'stall'; readonly bytes: number }
  /** Takes the request and never answers. */
  | { readonly kind: 'mute' }
  /** Sends all bytes as the range that was asked for. */
  | { readonly kind: 'other-range' }
  /** Sends as many other bytes. */
  | { readonly kind: 'garble' }
  /** Sends everything, whatever range was asked for. */
  | { readonly kind: 'no-ranges' };

export interface HubRule {
  readonly fault: HubFault;
  readonly when: (request: SeenHubRequest) => boolean;
  /** How often the rule applies; without, always. */
  readonly times?: number;
}

export interface HubServer {
  /** What HF_ENDPOINT is set to. */
  readonly url: string;
  readonly models: Record<string, HubModel>;
  /** Every request, in order. */
  readonly requests: SeenHubRequest[];
  /** Entries of a page of the tree. */
  pageSize: number;
  /** Which files are kept outside of git, as large ones are. */
  isLarge: (path: string) => boolean;
  /** Routes that this hub does not have: mirrors often lack some. */
  readonly without: Set<'revision' | 'hashes'>;
  add(rule: HubRule): void;
  /** Requests for the contents of files. */
  contentRequests(): SeenHubRequest[];
}

/**
 * The routes of the Hugging Face Hub that models are fetched by, over files in memory: revision, tree with pages,
 * resolve with redirects of large files to a storage host on another port, which refuses tokens as the real one does.
 */
export async function startHub(t: Pick<TestContext, 'after'>): Promise<HubServer> {
  const rules: { readonly rule: HubRule; used: number }[] = [];
  const contents = new Map<string, Buffer>();
  const listen = async (
    handle: (request: IncomingMessage, response: ServerResponse) => void,
  ): Promise<string> => {
    const server = createServer(handle);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => close(server));
    return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  };
  const see = (host: 'hub' | 'cdn', { method = '', url = '', headers }: IncomingMessage): SeenHubRequest => {
    const seen = { host, method, url, headers, sent: 0 };
    hub.requests.push(seen);
    return seen;
  };
  const faultFor = (seen: SeenHubRequest): HubFault | undefined => {
    const match = rules.find(({ rule, used }) => used < (rule.times ?? Infinity) && rule.when(seen));
    if (match !== undefined) match.used++;
    return match?.rule.fault;
  };

  const cdn = await listen((request, response) => {
    const seen = see('cdn', request);
    const fault = faultFor(seen);
    const content = contents.get(new URL(seen.url, 'http://cdn').pathname.slice(1));
    if (fault?.kind === 'mute') return;
    if (fault?.kind === 'respond') answer(response, fault.status, fault.headers);
    // S3 knows one way to sign a request, and refuses two.
    else if (seen.headers.authorization !== undefined) answer(response, 400);
    else if (seen.method !== 'GET' || content === undefined) answer(response, 403);
    else sendContent(seen, response, content, {}, fault);
  });

  const url = await listen((request, response) => {
    const seen = see('hub', request);
    const fault = faultFor(seen);
    if (fault?.kind === 'mute') return;
    if (fault?.kind === 'respond') answer(response, fault.status, fault.headers);
    else route(seen, response, fault);
  });

  const route = (seen: SeenHubRequest, response: ServerResponse, fault: HubFault | undefined): unknown => {
    const { pathname, searchParams } = new URL(seen.url, url);
    const api = /^\/api\/models\/(.+)\/(revision|tree)\/([^/]+)$/.exec(pathname);
    const file = /^\/(.+?)\/resolve\/([^/]+)\/(.+)$/.exec(pathname);
    const id = api?.[1] ?? file?.[1] ?? '';
    const model = hub.models[id];
    const bearer = seen.headers.authorization?.replace(/^Bearer /, '');
    if (model === undefined || (model.access?.kind === 'private' && bearer !== model.access.token)) {
      return answer(response, bearer === undefined ? 401 : 404, { 'x-error-code': 'RepoNotFound' });
    }
    const revision = decodeURIComponent(api?.[3] ?? file?.[2] ?? '');
    const commit = model.refs[revision] ?? revision;
    const files = model.commits[commit];
    if (files === undefined) return answer(response, 404, { 'x-error-code': 'RevisionNotFound' });
    if (api?.[2] === 'revision') {
      return hub.without.has('revision') ? answer(response, 404) : json(response, { id, sha: commit });
    }
    if (api?.[2] === 'tree') {
      const entries = treeOf(files, hub);
      const start = Number(searchParams.get('cursor') ?? 0);
      const end = start + hub.pageSize;
      const next = new URL(seen.url, url);
      next.searchParams.set('cursor', String(end));
      const link = end < entries.length ? { link: `<${next.href}>; rel="next"` } : {};
      return json(response, entries.slice(start, end), link);
    }
    // Lists are for everybody, contents are not.
    if (model.access !== undefined && bearer !== model.access.token) {
      return answer(response, bearer === undefined ? 401 : 403, { 'x-error-code': 'GatedRepo' });
    }
    const path = decodeURIComponent(file?.[3] ?? '');
    const content = files[path];
    if (content === undefined) return answer(response, 404, { 'x-error-code': 'EntryNotFound' });
    const bytes = Buffer.from(content);
    const facts = { 'x-repo-commit': commit };
    if (!hub.isLarge(path))
      return sendContent(seen, response, bytes, { ...facts, etag: `"${gitId(bytes)}"` }, fault);
    const hash = sha256(bytes);
    contents.set(hash, bytes);
    return answer(response, 302, {
      ...facts,
      location: `${cdn}/${hash}?X-Amz-Signature=secret-signature`,
      'x-linked-etag': `"${hash}"`,
      'x-linked-size': String(bytes.length),
    });
  };

  const hub: HubServer = {
    url,
    models: {},
    requests: [],
    pageSize: 1000,
    isLarge: (path) => /\.(onnx|onnx_data|safetensors|bin)$/.test(path),
    without: new Set(),
    add(rule) {
      rules.push({ rule, used: 0 });
    },
    contentRequests: () =>
      hub.requests.filter(({ method, url: path }) => method === 'GET' && !path.startsWith('/api/')),
  };
  return hub;
}

/** The files of a folder, as {@link HubModel} takes them. */
export async function filesOf(folder: string): Promise<Record<string, Buffer>> {
  const files: Record<string, Buffer> = {};
  const walk = async (below: string): Promise<void> => {
    for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
      const path = posix.join(below, entry.name);
      if (entry.isDirectory()) await walk(path);
      else files[path] = await readFile(join(folder, path));
    }
  };
  await walk('');
  return files;
}

export function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What git calls a content. */
export function gitId(bytes: Buffer | string): string {
  return createHash('sha1')
    .update(`blob ${String(Buffer.byteLength(bytes))}\0`)
    .update(bytes)
    .digest('hex');
}

function treeOf(files: HubFiles, hub: HubServer): object[] {
  const folders = new Set(
    Object.keys(files).flatMap((path) =>
      path
        .split('/')
        .slice(0, -1)
        .map((_, index, parts) => parts.slice(0, index + 1).join('/')),
    ),
  );
  return [
    ...[...folders].map((path) => ({ type: 'directory', oid: gitId(path), size: 0, path })),
    ...Object.entries(files).map(([path, content]) => {
      const size = Buffer.byteLength(content);
      const entry = { type: 'file', size, path };
      if (hub.without.has('hashes')) return entry;
      if (!hub.isLarge(path)) return { ...entry, oid: gitId(content) };
      const oid = sha256(content);
      const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${String(size)}\n`;
      return {
        ...entry,
        oid: gitId(pointer),
        lfs: { oid, size, pointerSize: pointer.length },
        xetHash: sha256(`xet ${oid}`),
      };
    }),
  ];
}

function sendContent(
  seen: SeenHubRequest,
  response: ServerResponse,
  content: Buffer,
  headers: Record<string, string>,
  fault: HubFault | undefined,
): ServerResponse {
  const asked =
    fault?.kind === 'no-ranges' ? undefined : /^bytes=(\d+)-$/.exec(seen.headers.range ?? '')?.[1];
  const start = fault?.kind === 'other-range' ? 0 : Number(asked ?? 0);
  if (asked !== undefined && start >= content.length) {
    return answer(response, 416, { 'content-range': `bytes */${String(content.length)}` });
  }
  const body = fault?.kind === 'garble' ? Buffer.alloc(content.length - start, '?') : content.subarray(start);
  response.writeHead(asked === undefined ? 200 : 206, {
    ...headers,
    'content-length': String(body.length),
    ...(asked === undefined
      ? {}
      : {
          'content-range': `bytes ${String(start)}-${String(content.length - 1)}/${String(content.length)}`,
        }),
  });
  if (seen.method === 'HEAD') {
    response.end();
  } else if (fault?.kind === 'cut' || fault?.kind === 'stall') {
    const part = body.subarray(0, fault.bytes);
    seen.sent = part.length;
    // Bytes must have left before the connection is reset, or they are lost with it.
    response.write(part, () => {
      if (fault.kind === 'cut') setImmediate(() => response.socket?.end(() => response.socket?.destroy()));
    });
  } else {
    seen.sent = body.length;
    response.end(body);
  }
  return response;
}

function answer(
  response: ServerResponse,
  status: number,
  headers: Record<string, string> = {},
): ServerResponse {
  return response.writeHead(status, headers).end();
}

function json(
  response: ServerResponse,
  value: unknown,
  headers: Record<string, string> = {},
): ServerResponse {
  return response
    .writeHead(200, { 'content-type': 'application/json', ...headers })
    .end(JSON.stringify(value));
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
    server.closeAllConnections();
  });
}
