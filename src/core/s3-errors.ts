import { describeError, systemErrorCode } from './errors.js';

/** What a failed S3 request means to its caller. */
export type S3FailureKind =
  /** There is no such bucket. */
  | 'no-bucket'
  /** There is no such key. */
  | 'no-key'
  /** The credentials do not allow it. */
  | 'denied'
  /** The object lies in an archive tier and must be restored first. */
  | 'archived'
  /** `If-Match` or `If-None-Match` did not hold. */
  | 'precondition'
  /** Another conditional write to the key was under way: try again. */
  | 'conflict'
  /** No credentials, unknown, wrong or expired ones. */
  | 'credentials'
  /** This machine's clock is wrong. */
  | 'clock'
  /** The bucket is in another region, and S3 did not say in which. */
  | 'region'
  /** No connection to the host. */
  | 'unreachable'
  /** The host's certificate is not trusted. */
  | 'certificate'
  /** The store asks for patience. */
  | 'throttled'
  /** The store failed (HTTP 5xx). */
  | 'server'
  /** The connection broke or fell silent. */
  | 'broken'
  /** What answers there is no S3: a console, a proxy's page, another protocol. */
  | 'not-s3'
  /** Any other refusal. */
  | 'refused';

export interface S3Failure {
  readonly kind: S3FailureKind;
  /** One sentence without a final stop: what went wrong, in the store's own words where it gave some. */
  readonly reason: string;
  /** One sentence: what to do; empty where nothing is known. */
  readonly advice: string;
}

/** Kinds that the same request may overcome later. */
export const transientS3Failures: ReadonlySet<S3FailureKind> = new Set([
  'throttled',
  'server',
  'broken',
  'unreachable',
  'conflict',
]);

/** Explains anything that a call of the S3 client threw. */
export function explainS3Error(error: unknown): S3Failure {
  const kind = kindOf(error);
  return { kind, reason: reasonOf(kind, error), advice: adviceFor(kind, error) };
}

/** What went wrong and what to do, in one text without a final stop. */
export function s3ErrorWords(error: unknown): string {
  const { reason, advice } = explainS3Error(error);
  return advice === '' ? reason : `${reason}. ${advice.replace(/\.$/, '')}`;
}

const kindsByName: Readonly<Record<string, S3FailureKind>> = {
  NoSuchBucket: 'no-bucket',
  NoSuchKey: 'no-key',
  AccessDenied: 'denied',
  AccessDeniedException: 'denied',
  AllAccessDisabled: 'denied',
  InvalidObjectState: 'archived',
  PreconditionFailed: 'precondition',
  ConditionalRequestConflict: 'conflict',
  CredentialsProviderError: 'credentials',
  TokenProviderError: 'credentials',
  ExpiredToken: 'credentials',
  ExpiredTokenException: 'credentials',
  InvalidAccessKeyId: 'credentials',
  InvalidToken: 'credentials',
  SignatureDoesNotMatch: 'credentials',
  TokenRefreshRequired: 'credentials',
  RequestExpired: 'clock',
  RequestTimeTooSkewed: 'clock',
  AuthorizationHeaderMalformed: 'region',
  PermanentRedirect: 'region',
  TemporaryRedirect: 'region',
  RequestTimeout: 'broken',
  SlowDown: 'throttled',
  Throttling: 'throttled',
  ThrottlingException: 'throttled',
  TooManyRequests: 'throttled',
};

const kindsByStatus: Readonly<Record<number, S3FailureKind>> = {
  301: 'region',
  307: 'region',
  403: 'denied',
  404: 'no-key',
  412: 'precondition',
  429: 'throttled',
  503: 'throttled',
};

const kindsBySystemCode: Readonly<Record<string, S3FailureKind>> = {
  EAI_AGAIN: 'unreachable',
  ECONNREFUSED: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ENOTFOUND: 'unreachable',
  EPROTO: 'not-s3',
  ECONNRESET: 'broken',
  EPIPE: 'broken',
  ERR_STREAM_PREMATURE_CLOSE: 'broken',
  ETIMEDOUT: 'broken',
};

const certificateCodes = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/;

function kindOf(error: unknown): S3FailureKind {
  const name = nameOf(error);
  const named = kindsByName[name];
  if (named !== undefined) return named;
  const status = statusOf(error);
  // Behind a load balancer that is down there may well be an S3.
  if (status !== undefined && status < 500 && isUnparsed(error)) return 'not-s3';
  // An answer to HEAD has no body, hence no name: the status alone must do.
  if (status !== undefined) return kindsByStatus[status] ?? (status >= 500 ? 'server' : 'refused');
  const code = systemErrorCode(error);
  if (code?.startsWith('HPE_') === true) return 'not-s3';
  if (code !== undefined)
    return kindsBySystemCode[code] ?? (certificateCodes.test(code) ? 'certificate' : 'refused');
  return name === 'TimeoutError' ? 'broken' : 'refused';
}

/** The SDK has no class for answers that are no XML, only these words. */
function isUnparsed(error: unknown): boolean {
  return error instanceof Error && error.message.includes('Deserialization error');
}

function reasonOf(kind: S3FailureKind, error: unknown): string {
  const status = statusOf(error);
  if (kind === 'not-s3') {
    return `what answers there is no S3 (${status === undefined ? String(systemErrorCode(error)) : `HTTP ${String(status)}`})`;
  }
  const words = describeError(error).replace(/\.$/, '');
  if (status === undefined) return words;
  const name = nameOf(error);
  const shown = name === '' || words.includes(name) || name === 'Error' ? words : `${name}: ${words}`;
  return `${shown} (HTTP ${String(status)})`;
}

const CREDENTIALS = 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE';

function adviceFor(kind: S3FailureKind, error: unknown): string {
  switch (kind) {
    case 'no-bucket':
      return "Check the bucket's name, the account, and AWS_ENDPOINT_URL_S3 where the store is not Amazon's.";
    case 'denied':
      return 'Check the policies of the bucket and of these credentials.';
    case 'archived':
      return 'Restore the object from its archive tier first.';
    case 'credentials':
      return adviceForCredentials(nameOf(error));
    case 'clock':
      return "Set this machine's clock: S3 refuses requests that are 15 minutes off.";
    case 'region':
      return "Set AWS_REGION to the bucket's region.";
    case 'unreachable':
      return 'Check AWS_ENDPOINT_URL_S3, AWS_REGION and the network.';
    case 'not-s3':
      return "Check scheme, host and port of AWS_ENDPOINT_URL_S3: it must be the store's S3 port, not its console.";
    case 'certificate':
      return 'Name the PEM file of its certificate authority in AWS_CA_BUNDLE or NODE_EXTRA_CA_CERTS.';
    case 'throttled':
    case 'server':
    case 'broken':
    case 'conflict':
      return 'Try again later.';
    default:
      return '';
  }
}

function adviceForCredentials(name: string): string {
  switch (name) {
    case 'CredentialsProviderError':
    case 'TokenProviderError':
      return `Set ${CREDENTIALS}, log in again where a profile uses single sign-on, or use --anonymous for a public bucket.`;
    case 'SignatureDoesNotMatch':
      return 'The secret access key does not belong to the access key id: check AWS_SECRET_ACCESS_KEY.';
    case 'InvalidAccessKeyId':
      return 'This store does not know the access key: check AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL_S3.';
    default:
      return 'The session token has expired or is not valid: get new temporary credentials.';
  }
}

function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  // Errors that the SDK has no class for are named after their code all the same, or carry it as `Code`.
  return 'Code' in error && typeof error.Code === 'string' ? error.Code : error.name;
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined;
  return (error.$metadata as { httpStatusCode?: number } | undefined)?.httpStatusCode;
}
