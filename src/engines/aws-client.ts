import { EmbatchError } from '../core/errors.js';
import { loadSecureContext } from '../core/s3.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** The client's own default of 3 gives up on a throttling service within a second. */
const MAX_ATTEMPTS = 6;
const CONNECTION_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;

/**
 * Settings for a client of an AWS service that starts containers. What the environment does not say, the SDK looks for
 * in profiles and at the machine's own role. Error: USAGE for a variable that makes no sense.
 */
export async function awsClientSettings(service: 'SAGEMAKER' | 'BATCH', environment: Environment) {
  const endpoint = endpointOf(service, environment);
  const region = [environment['AWS_REGION'], environment['AWS_DEFAULT_REGION']].find(Boolean);
  const secureContext = endpoint?.startsWith('http:') === true ? undefined : await loadSecureContext();
  const credentials = credentialsOf(environment);
  // It names a Node version that later SDKs need; ours is pinned, and users can do nothing about it.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  return {
    maxAttempts: MAX_ATTEMPTS,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(credentials === undefined ? {} : { credentials }),
    requestHandler: {
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      ...(secureContext === undefined ? {} : { httpsAgent: { secureContext } }),
    },
  };
}

/** Undefined for Amazon's own. */
function endpointOf(service: string, environment: Environment): string | undefined {
  if (environment['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'] === 'true') return undefined;
  const names = [`AWS_ENDPOINT_URL_${service}`, 'AWS_ENDPOINT_URL'];
  const name = names.find((candidate) => Boolean(environment[candidate]));
  const value = name === undefined ? undefined : environment[name];
  if (value !== undefined && !(URL.canParse(value) && /^https?:\/\//i.test(value))) {
    throw new EmbatchError(
      'USAGE',
      `${name ?? ''} must be a URL such as http://localhost:5000, not "${value}".`,
    );
  }
  return value;
}

function credentialsOf(environment: Environment) {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = environment;
  // As in the SDK's own chain: a profile that is asked for by name wins.
  if (!accessKeyId || !secretAccessKey || environment['AWS_PROFILE']) return undefined;
  const sessionToken = environment['AWS_SESSION_TOKEN'];
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}
