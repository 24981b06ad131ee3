import { EmbatchError } from '../../core/errors.js';
import type { Abortable, Logger } from '../../core/interfaces.js';
import { sleep } from '../../core/streams.js';
import { formatDuration } from '../../core/units.js';
import { connectionError, hubError, refusal, retryAfterMs, type HubSubject } from './hub-errors.js';
import { readHubFile, readTreeEntry, type HubFile } from './hub-files.js';
import type { HubSettings } from './hub-settings.js';
import { BrokenError, isUnreachable, sendHttp, UnusableError, type HttpAnswer } from './http.js';
import type { HubRef } from './model-ref.js';
import { delayMs, type Patience } from './patience.js';

export interface OpenBytes {
  /** Position of the first byte that `body` gives: the one asked for, or 0 where the store cannot do that. */
  readonly start: number;
  /** Bytes of the whole, where the store says so. */
  readonly total: number | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

/** One model on a hub. Errors: MODEL, with the kind of failure in `details.kind` (hub-errors.ts). */
export interface HubClient {
  /** The commit that the revision stands for now; 40 hexadecimal digits. */
  commit(options?: Abortable): Promise<string>;
  /** All files of a commit. */
  tree(commit: string, options?: Abortable): Promise<HubFile[]>;
  /** The bytes of a file from `offset` on. */
  open(commit: string, path: string, offset: number, options?: Abortable): Promise<OpenBytes>;
}

const COMMIT = /^[0-9a-f]{40}$/;
/** The hub counts requests in windows of five minutes and asks to wait for the next one. */
const MAX_RETRY_AFTER_MS = 5 * 60_000;
/** More attempts at a host that nobody answers at would only delay the message. */
const UNREACHABLE_ATTEMPTS = 2;
const transientStatuses: readonly number[] = [408, 429, 500, 502, 503, 504];

export function createHubClient(
  { id, revision }: HubRef,
  settings: HubSettings,
  { log, patience }: { readonly log: Logger; readonly patience: Patience },
): HubClient {
  const subject: HubSubject = {
    endpoint: settings.endpoint,
    id,
    revision,
    hasToken: settings.token !== undefined,
  };
  const api = `${settings.endpoint}/api/models/${id}`;
  const resolveUrl = (commit: string, path: string): string =>
    `${settings.endpoint}/${id}/resolve/${encodeURIComponent(commit)}/${path.split('/').map(encodeURIComponent).join('/')}`;

  interface Ask extends Abortable {
    readonly method?: 'GET' | 'HEAD';
    readonly headers?: Readonly<Record<string, string>>;
    readonly stayHome?: boolean;
  }

  /** Sends with patience; any answer that will not change by asking again is given back. */
  const ask = async <Result>(
    url: string,
    what: string,
    options: Ask,
    use: (answer: HttpAnswer) => Promise<Result>,
  ): Promise<Result> => {
    for (let failures = 1; ; failures++) {
      let wait: number;
      let why: string;
      try {
        const answer = await sendHttp(url, {
          ...options,
          token: settings.token,
          idleTimeoutMs: settings.idleTimeoutMs,
        });
        if (!transientStatuses.includes(answer.status)) return await use(answer);
        await answer.discard();
        const asked = retryAfterMs(answer.headers) ?? 0;
        if (failures >= patience.attempts || asked > MAX_RETRY_AFTER_MS) throw refusal(answer, what, subject);
        wait = Math.max(asked, delayMs(failures, patience));
        why = `HTTP ${answer.status}`;
      } catch (error) {
        if (error instanceof UnusableError) throw connectionError(error, what, subject);
        if (!(error instanceof BrokenError)) throw error;
        const attempts = isUnreachable(error) ? UNREACHABLE_ATTEMPTS : patience.attempts;
        if (failures >= attempts) throw connectionError(error, what, subject);
        wait = delayMs(failures, patience);
        why = error.message;
      }
      log.warn(`${settings.endpoint}: ${why}; trying again in ${formatDuration(wait)} to ${what}.`);
      await sleep(wait, options.signal);
    }
  };

  const askJson = async (
    url: string,
    what: string,
    options: Abortable,
  ): Promise<{ answer: HttpAnswer; json: unknown }> =>
    await ask(url, what, { ...options, headers: { accept: 'application/json' } }, async (answer) => {
      const text = await answer.text();
      if (answer.status !== 200) throw refusal(answer, what, subject);
      try {
        return { answer, json: JSON.parse(text) as unknown };
      } catch (error) {
        throw notHub(what, 'what is no JSON', error);
      }
    });

  const notHub = (what: string, gave: string, cause?: unknown): EmbatchError =>
    hubError(
      'not-hub',
      `Cannot ${what} from ${settings.endpoint}: it answered with ${gave}. Is HF_ENDPOINT the address of a hub?`,
      false,
      cause,
    );

  const treeOf = async (at: string, options: Abortable): Promise<unknown[]> => {
    const entries: unknown[] = [];
    const what = `list the files of ${id}`;
    let url: string | undefined = `${api}/tree/${encodeURIComponent(at)}?recursive=true`;
    while (url !== undefined) {
      const { answer, json } = await askJson(url, what, options);
      if (!Array.isArray(json)) throw notHub(what, 'what is no list');
      entries.push(...(json as unknown[]));
      url = nextPage(answer.headers.get('link'), url, settings.endpoint);
    }
    return entries;
  };

  /** What the resolve route says of a file without giving it. */
  const head = async (at: string, path: string, options: Abortable): Promise<Headers> => {
    const what = `ask for ${path} of ${id}`;
    // The hub itself knows it; addresses that a storage host signed for GET refuse HEAD.
    const request = { ...options, method: 'HEAD', stayHome: true } as const;
    return await ask(resolveUrl(at, path), what, request, async (answer) => {
      await answer.discard();
      if (answer.status >= 400) throw refusal(answer, what, subject);
      return answer.headers;
    });
  };

  return {
    async commit(options = {}) {
      const what = `look up ${id} at revision ${revision}`;
      let sha: unknown;
      try {
        const { json } = await askJson(`${api}/revision/${encodeURIComponent(revision)}`, what, options);
        sha = (json as { sha?: unknown } | null)?.sha;
      } catch (error) {
        // Mirrors often know the routes for trees and files only.
        if (!isNotFound(error)) throw error;
        const first = (await treeOf(revision, options))
          .map((entry) => readTreeEntry(entry))
          .find((entry) => entry !== undefined);
        if (first === undefined) throw error;
        sha = (await head(revision, first.path, options)).get('x-repo-commit');
      }
      if (typeof sha !== 'string' || !COMMIT.test(sha)) throw notHub(what, 'no commit');
      return sha;
    },

    async tree(commit, options = {}) {
      const files: HubFile[] = [];
      for (const raw of await treeOf(commit, options)) {
        const entry = readTreeEntry(raw);
        if (entry === undefined) continue;
        const isComplete = entry.hash !== undefined && entry.size !== undefined;
        const headers = isComplete ? undefined : await head(commit, entry.path, options);
        files.push(readHubFile(entry, headers, settings.endpoint));
      }
      return files;
    },

    async open(commit, path, offset, options = {}) {
      const what = `fetch ${path} of ${id}`;
      // No If-Range: the storage host's ETag is another than the hub's. The path names a commit, so the bytes
      // cannot change, and the hash of the whole is checked in the end.
      const headers = offset === 0 ? {} : { range: `bytes=${offset}-` };
      return await ask(resolveUrl(commit, path), what, { ...options, headers }, async (answer) => {
        if (answer.status === 206) {
          const { start, total } = contentRange(answer.headers);
          if (start !== offset) {
            await answer.discard();
            throw notHub(what, 'another range than it was asked for');
          }
          return { start, total, body: answer.body() };
        }
        if (answer.status === 200)
          return { start: 0, total: contentLength(answer.headers), body: answer.body() };
        await answer.discard();
        // The partial file is longer than the file, or the host knows no ranges: begin anew.
        if (answer.status === 416 && offset > 0) return await this.open(commit, path, 0, options);
        throw refusal(answer, what, subject);
      });
    },
  };
}

function isNotFound(error: unknown): boolean {
  return error instanceof EmbatchError && error.details['kind'] === 'no-model';
}

/** The address of the next page; only ever on the endpoint itself, since the token goes with the request. */
function nextPage(link: string | null, current: string, endpoint: string): string | undefined {
  const target = link === null ? undefined : /<([^>]*)>\s*;[^,]*\brel="?next"?/.exec(link)?.[1];
  if (target === undefined || !URL.canParse(target, current)) return undefined;
  const url = new URL(target, current);
  const home = new URL(endpoint);
  // A mirror passes on the links of the hub that it copies: the page is to be had from the mirror.
  return url.origin === home.origin ? url.href : `${home.origin}${url.pathname}${url.search}`;
}

function contentRange(headers: Headers): { start: number | undefined; total: number | undefined } {
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '') ?? [];
  return {
    start: start === undefined ? undefined : Number(start),
    total: total === undefined || total === '*' ? undefined : Number(total),
  };
}

function contentLength(headers: Headers): number | undefined {
  const value = headers.get('content-length');
  return value === null ? undefined : Number(value);
}
