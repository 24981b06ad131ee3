import { EmbatchError } from '../../core/errors.js';
import { isUnreachable, type HttpAnswer } from './http.js';

/** What a failed request to the hub means; in `details.kind` of its error. */
export type HubFailureKind =
  /** No such model, or one that this token may not see: the hub does not tell which. */
  | 'no-model'
  | 'no-revision'
  | 'no-file'
  /** The model is there, and its owner has not let this token in. */
  | 'gated'
  | 'denied'
  /** Nobody answers. */
  | 'unreachable'
  /** The hub answers with failures, or breaks off, all the time. */
  | 'failing'
  /** What answers there is no hub, or not as one. */
  | 'not-hub';

export interface HubSubject {
  readonly endpoint: string;
  readonly id: string;
  readonly revision: string;
  readonly hasToken: boolean;
}

/** An answer that is no success. Error codes of the hub: `X-Error-Code`, see huggingface_hub's `utils/_http.py`. */
export function refusal(answer: HttpAnswer, what: string, subject: HubSubject): EmbatchError {
  const kind = kindOf(answer);
  return hubError(kind, wordsFor(kind, answer, what, subject), false);
}

/** A connection that failed for good. */
export function connectionError(error: unknown, what: string, subject: HubSubject): EmbatchError {
  const unreachable = isUnreachable(error);
  const advice = unreachable
    ? 'Check the network and HF_ENDPOINT; with HF_HUB_OFFLINE=1 only what is already in the cache is used.'
    : 'Run again: what has arrived is kept.';
  const reason = error instanceof Error ? error.message : String(error);
  return hubError(
    unreachable ? 'unreachable' : 'failing',
    `Cannot ${what} from ${subject.endpoint}: ${reason}. ${advice}`,
    true,
    error,
  );
}

export function hubError(
  kind: HubFailureKind,
  message: string,
  retryable: boolean,
  cause?: unknown,
): EmbatchError {
  return new EmbatchError('MODEL', message, { retryable, cause, details: { kind } });
}

function kindOf({ status, first, headers }: HttpAnswer): HubFailureKind {
  const code = first.get('x-error-code') ?? headers.get('x-error-code');
  if (code === 'RepoNotFound') return 'no-model';
  if (code === 'RevisionNotFound') return 'no-revision';
  if (code === 'EntryNotFound') return 'no-file';
  if (code === 'GatedRepo') return 'gated';
  if (status === 401) return 'no-model';
  if (status === 403) return 'denied';
  if (status === 404) return 'no-model';
  return status === 429 || status >= 500 ? 'failing' : 'not-hub';
}

function wordsFor(kind: HubFailureKind, answer: HttpAnswer, what: string, subject: HubSubject): string {
  const { endpoint, id, revision, hasToken } = subject;
  const status = `HTTP ${answer.status}`;
  switch (kind) {
    case 'no-model':
      return (
        `${endpoint} has no model ${id} at revision ${revision}, or it is private (${status}). Check the name and ` +
        `the revision; ${hasToken ? 'the token in use may not see it' : 'a private model needs HF_TOKEN'}.`
      );
    case 'no-revision':
      return (
        `the model ${id} on ${endpoint} has no revision "${revision}" (${status}). Give a branch, a tag or a commit, ` +
        `as in hf:${id}@main.`
      );
    case 'no-file':
      return `${endpoint} lists a file of ${id} and then does not have it: cannot ${what} (${status}). Run again.`;
    case 'gated':
      return (
        `the model ${id} is gated (${status}): accept its conditions at ${endpoint}/${id}, then set HF_TOKEN to a ` +
        `token of the same account${hasToken ? '; the one in use has no access' : ''}.`
      );
    case 'denied':
      return (
        `${endpoint} refuses to give ${id} (${status}). ` +
        (hasToken
          ? 'The token in use may not read it: check its permissions, and the conditions of the model.'
          : 'Set HF_TOKEN to a token that may read it.')
      );
    case 'failing':
      return (
        `Cannot ${what} from ${endpoint}: it answered with ${status}${retryAfterWords(answer)}, also when asked ` +
        'again. Run again later: what has arrived is kept.'
      );
    default:
      return `Cannot ${what} from ${endpoint}: it answered with ${status}. Is HF_ENDPOINT the address of a hub?`;
  }
}

function retryAfterWords(answer: HttpAnswer): string {
  const seconds = retryAfterMs(answer.headers);
  return seconds === undefined ? '' : ` (to be asked again in ${Math.ceil(seconds / 1000)} s)`;
}

/** What `Retry-After` asks for, given in seconds or as a date; undefined where it asks for nothing. */
export function retryAfterMs(headers: Headers, now = Date.now()): number | undefined {
  const value = headers.get('retry-after');
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
