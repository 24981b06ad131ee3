import { z } from 'zod';
import { describeError, EmbatchError } from '../../core/errors.js';

/** What the API server answers instead of 2xx, as the official client throws it. */
const refusalSchema = z.object({ code: z.int(), body: z.unknown() });
/** Its body: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/ */
const statusSchema = z.object({ message: z.string(), reason: z.string().optional() });

const notRefusals = new Set([408, 429]);

/** The HTTP status of an answer; undefined where there was none. */
export function statusOf(error: unknown): number | undefined {
  return refusalSchema.safeParse(error).data?.code;
}

/** What the client throws where a request got no answer: of node-fetch, and of our own time limit. */
const noAnswer = new Set(['FetchError', 'AbortError', 'TimeoutError']);

/** The same call may succeed in a moment. */
export function isTransient(error: unknown): boolean {
  const status = statusOf(error);
  if (status === undefined) return error instanceof Error && noAnswer.has(error.name);
  return notRefusals.has(status) || status >= 500;
}

/**
 * One line for a call that failed.
 * @param what what was asked: `create the Job docs-1 in namespace docs`
 * @param address of the API server
 */
export function apiError(error: unknown, what: string, address: string): EmbatchError {
  const status = statusOf(error);
  if (status === undefined && !isTransient(error)) {
    // A certificate, a token file or a credential plug-in that it names: nothing was sent.
    return new EmbatchError(
      'USAGE',
      `cannot ${what}: the kubeconfig of ${address} cannot be used: ${describeError(error)}`,
      { cause: error },
    );
  }
  if (status === undefined) {
    return new EmbatchError(
      'ENGINE',
      `cannot ${what}: ${address} cannot be reached: ${describeError(error)}`,
      {
        retryable: true,
        cause: error,
      },
    );
  }
  const words = wordsOf(error);
  if (isTransient(error)) {
    return new EmbatchError('ENGINE', `cannot ${what}: ${address} answers ${status}: ${words}`, {
      retryable: true,
      cause: error,
    });
  }
  return new EmbatchError('USAGE', `cannot ${what}: ${refusal(status, words)}`, { cause: error });
}

function refusal(status: number, words: string): string {
  if (status === 401)
    return 'the credentials of the kubeconfig are refused (401 Unauthorized); sign in again.';
  const right = /cannot (?<verb>\w+) resource "(?<resource>[^"]+)" in API group "(?<group>[^"]*)"/.exec(
    words,
  )?.groups;
  if (status === 403 && right !== undefined) {
    const { verb = '', resource = '', group = '' } = right;
    const of = group === '' ? resource : `${resource}.${group}`;
    return `the right to ${verb} ${of} is missing; grant the verb "${verb}" on "${of}" to this user (${words}).`;
  }
  return `${words}.`;
}

function wordsOf(error: unknown): string {
  const body = refusalSchema.safeParse(error).data?.body;
  const status = statusSchema.safeParse(typeof body === 'string' ? parsed(body) : body).data;
  const words =
    status?.message ?? (typeof body === 'string' && body !== '' ? body.slice(0, 300) : 'no reason given');
  return words.replace(/\s*\n\s*/g, ' ').replace(/\.$/, '');
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
