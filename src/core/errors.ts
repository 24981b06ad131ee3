/**
 * Every failure that a user can act on is an {@link EmbatchError}. Callers match `code`, never messages.
 * Anything else that reaches the top is a bug (exit code 1).
 */
export const errorCodes = [
  /** Wrong flag, value or combination; another space or dimension in the index; an index that is not ours. */
  'USAGE',
  /** The source cannot be listed or read: no such bucket, no credentials, host unreachable. */
  'SOURCE',
  /** One object is gone since it was listed. Concerns that object only. */
  'OBJECT_GONE',
  /** One object may not be read. Concerns that object only. */
  'OBJECT_DENIED',
  /** One object could not be read after all retries, or changed meanwhile. Concerns that object only. */
  'OBJECT_UNREADABLE',
  /** The model's files are missing, broken or not understood. */
  'MODEL',
  /** The sink cannot be reached, refuses us, or did not recover within its patience. */
  'SINK',
  /** The state cannot be read or written. */
  'STATE',
  /** Another run holds the lease. */
  'LEASE',
  /** The engine that is to run the shards cannot be reached, or did not do what it was asked. */
  'ENGINE',
  /** A result cannot be trusted: an impossible state, which is a bug of ours. */
  'BUG',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export interface EmbatchErrorOptions {
  /** The same call may succeed later without a change by the user. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
  /** What the message cannot hold: values for logs and `--json`. Never a secret. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** What failed, on what, the value received, the limit, and what to do: in one message. */
export class EmbatchError extends Error {
  override readonly name = 'EmbatchError';
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: EmbatchErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? {};
  }
}

export function isEmbatchError(error: unknown, code?: ErrorCode): error is EmbatchError {
  return error instanceof EmbatchError && (code === undefined || error.code === code);
}

/**
 * The words of anything thrown, with those of its causes, in one line. The message of an {@link EmbatchError} says
 * all that a user needs: its causes are for logs.
 */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof EmbatchError) return inOneLine(error.message);
  const own = error.message || error.name;
  const causes = error instanceof AggregateError ? error.errors : [error.cause];
  const inner = causes
    .filter((cause) => cause !== undefined)
    .map(describeError)
    .filter((text) => !own.includes(text));
  return inOneLine([own, ...inner].join(': '));
}

function inOneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ');
}

/** The system's own error code (`ENOSPC`, `ECONNREFUSED`, …) of an error or of one of its causes. */
export function systemErrorCode(error: unknown): string | undefined {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (current instanceof EmbatchError) continue;
    if ('code' in current && typeof current.code === 'string') return current.code;
  }
  return undefined;
}
