/** One request that brought no usable answer: the cluster's refusal, or the connection's. */
export class RequestFailure extends Error {
  override readonly name = 'RequestFailure';
  /** HTTP status; undefined where no whole answer came. */
  readonly status: number | undefined;
  /** The cluster's word for it (`index_not_found_exception`), else ours (see {@link ownTypes}) or the system's. */
  readonly type: string;
  /** `Retry-After`, where the answer had one. */
  readonly retryAfterMs: number | undefined;
  /** The `error` of the answer, for its numbers. */
  readonly error: ServerError | undefined;

  constructor(
    type: string,
    words: string,
    answer: { status?: number; retryAfterMs?: number | undefined; error?: ServerError | undefined } = {},
  ) {
    super(words);
    this.type = type;
    this.status = answer.status;
    this.retryAfterMs = answer.retryAfterMs;
    this.error = answer.error;
  }
}

export const ownTypes = {
  /** No whole answer within the request timeout. */
  timeout: 'timeout',
  /** The answer broke off or is not JSON. */
  brokenAnswer: 'broken_answer',
  /** The credential chain gives nothing to sign with. */
  credentials: 'credentials',
} as const;

/** TLS got as far as the server's certificate and did not accept it. */
export function isCertificateProblem({ type, message }: RequestFailure): boolean {
  return /CERT|UNABLE_TO_(GET|VERIFY)|SELF_SIGNED/.test(type) || /certificate/i.test(message);
}

/** The `error` object of a refused request or item. */
export interface ServerError {
  readonly type?: string;
  readonly reason?: string;
  readonly caused_by?: ServerError | undefined;
  readonly root_cause?: readonly ServerError[];
  readonly bytes_wanted?: number;
  readonly bytes_limit?: number;
}

/** Longest piece of a server's own text that goes into a message, in characters. */
const MAX_WORDS = 500;

/** The cluster's own words for an error and its causes, in one line. */
export function serverWords(error: ServerError | undefined): string {
  const words: string[] = [];
  for (let current = error; current !== undefined; current = current.caused_by) {
    const { reason } = current;
    if (reason !== undefined && !words.some((said) => said.includes(reason))) words.push(reason);
  }
  return shortened(
    [error?.type, words.join(': ')].filter((part) => part !== undefined && part !== '').join(': '),
  );
}

/** Reads whatever a refusal has for a body: OpenSearch's, the managed service's, or a proxy's page. */
export function parseRefusal(body: unknown): { error: ServerError | undefined; words: string } {
  if (typeof body === 'string') {
    const text = body.replace(/<(style|script)[\s\S]*?<\/\1>|<[^>]*>/gi, ' ');
    return { error: undefined, words: shortened(text) };
  }
  if (typeof body !== 'object' || body === null) return { error: undefined, words: '' };
  const { error, Message, message } = body as { error?: unknown; Message?: unknown; message?: unknown };
  if (typeof error === 'object' && error !== null) {
    return { error, words: serverWords(error) };
  }
  const text = [error, Message, message].find((part) => typeof part === 'string') ?? JSON.stringify(body);
  return { error: undefined, words: shortened(text) };
}

function shortened(text: string): string {
  const line = text
    .replace(/\s+/g, ' ')
    .replace(/[\s.]+$/, '')
    .trimStart();
  return line.length <= MAX_WORDS ? line : `${line.slice(0, MAX_WORDS)}…`;
}
