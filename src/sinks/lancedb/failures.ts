import { EmbatchError, describeError } from '../../core/errors.js';

/**
 * LanceDB's failures are all of one kind (`code: 'GenericFailure'`); what happened is told by the message
 * alone, in the words of the system, of S3 or of its own.
 */
const hopeless: readonly { readonly pattern: RegExp; readonly words: string }[] = [
  { pattern: /os error 28\b|StorageFull/i, words: 'the disk is full; free some space and run again' },
  { pattern: /os error 122\b/, words: 'the disk quota is used up; free some space and run again' },
  { pattern: /os error 30\b/, words: 'the file system is read-only; choose another folder' },
  { pattern: /os error (13|1)\b/, words: 'permission denied; choose a folder that this user may write to' },
  { pattern: /os error 20\b/, words: 'a part of the path is a file, not a folder' },
  {
    pattern: /exists but could not be loaded/,
    words: 'it holds an unfinished or damaged table; delete the folder chunks.lance in it and run again',
  },
  { pattern: /NoSuchBucket|bucket does not exist/i, words: 'there is no such bucket' },
  {
    pattern:
      /AccessDenied|SignatureDoesNotMatch|InvalidAccessKeyId|ExpiredToken|status: 40[13]|\b40[13] Forbidden/i,
    words:
      'S3 refused the credentials; look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the bucket policy',
  },
  {
    pattern: /failed to load credentials|CredentialsNotLoaded|no providers in chain|NoCredentials/i,
    words: 'there are no credentials for S3; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile',
  },
];

/** True where the same call cannot succeed before someone has done something about it. */
export function isHopeless(error: unknown): boolean {
  const text = describeError(error);
  return hopeless.some(({ pattern }) => pattern.test(text));
}

/** SINK in words for people; the library's own are kept as the cause. */
export function sinkError(uri: string, doing: string, error: unknown): EmbatchError {
  if (error instanceof EmbatchError) return error;
  const text = describeError(error);
  const known = hopeless.find(({ pattern }) => pattern.test(text));
  return new EmbatchError('SINK', `${uri}: ${doing} failed: ${known?.words ?? ownWords(text)}`, {
    cause: error,
    retryable: known === undefined,
  });
}

export function isMissingTable(error: unknown): boolean {
  return /^Table '[^']*' was not found/.test(describeError(error));
}

/** There is something in the place of the table, but no version of it that can be read. */
export function isUnfinishedTable(error: unknown): boolean {
  return describeError(error).includes('exists but could not be loaded');
}

/** Two changes of one table met; the loser is told so. */
export function isConflict(error: unknown): boolean {
  return /commit conflict|preempted by concurrent|concurrent transaction/i.test(describeError(error));
}

const MAX_WORDS = 300;

/** The first sentence of a message that goes on with Rust's source positions and repeats itself. */
function ownWords(text: string): string {
  const words = text
    .replace(/,? ?\/[^\s,]*\.rs:\d+(:\d+)?/g, '')
    .replace(/ *Caused by:.*$/s, '')
    .trim();
  return words.length > MAX_WORDS ? `${words.slice(0, MAX_WORDS)}…` : words;
}
