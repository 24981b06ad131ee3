import { describeError, EmbatchError, systemErrorCode } from '../core/errors.js';

/** The name that an AWS service gives its refusal; empty where the error is none of a service. */
export function awsErrorName(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

export function awsStatus(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined;
  // The SDK's own field, on everything that a service answered.
  return (error.$metadata as { httpStatusCode?: number } | undefined)?.httpStatusCode;
}

const credentialErrors = new Set([
  'CredentialsProviderError',
  'TokenProviderError',
  'ExpiredToken',
  'ExpiredTokenException',
  'UnrecognizedClientException',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
  'MissingAuthenticationToken',
  'MissingAuthenticationTokenException',
]);

const deniedErrors = new Set(['AccessDeniedException', 'AccessDenied', 'UnauthorizedOperation']);

/**
 * What a failed call of an AWS service is to its caller: USAGE for what a person must change (credentials, rights, the
 * request itself), ENGINE for what may pass. `what` says what was asked, on what: `SageMaker in eu-central-1 did not
 * take the processing job "docs-1"`.
 */
export function awsFailure(error: unknown, what: string): EmbatchError {
  const words = describeError(error).replace(/\.$/, '');
  const name = awsErrorName(error);
  const usage = (advice: string): EmbatchError =>
    new EmbatchError('USAGE', `${what}: ${words}. ${advice}`, { cause: error });
  if (credentialErrors.has(name)) {
    return usage('Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or log in again.');
  }
  if (/region is missing/i.test(words)) return usage('Set AWS_REGION.');
  if (deniedErrors.has(name)) return usage(adviceForDenied(words));
  const status = awsStatus(error);
  const isRefused = status !== undefined && status >= 400 && status < 500 && status !== 429;
  if (isRefused && !/throttl|too ?many ?requests/i.test(name)) return usage(`Its reason is ${name}.`);
  const code = systemErrorCode(error);
  const reason = words === '' && code !== undefined ? code : words;
  return new EmbatchError(
    'ENGINE',
    `${what}: ${reason}. ${status === undefined ? 'Check AWS_REGION, the endpoint and the network.' : 'Try again later.'}`,
    { cause: error, retryable: true },
  );
}

function adviceForDenied(words: string): string {
  if (words.includes('iam:PassRole')) {
    return 'Your own credentials need iam:PassRole on the role that --role names.';
  }
  const action = /not authorized to perform:? ([a-z0-9-]+:[A-Za-z]+)/.exec(words)?.[1];
  return `Your own credentials need the right to ${action ?? 'do that'}.`;
}
