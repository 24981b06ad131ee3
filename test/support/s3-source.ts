import type { Source } from '#embatch/core/interfaces.js';
import { parseS3Uri } from '#embatch/core/s3.js';
import type { BucketOptions } from '#embatch/source/s3-bucket.js';
import { createS3Source } from '#embatch/source/s3-source.js';
import type { FaultProxy } from './fault-proxy.js';
import { recordingLogger } from './recording-logger.js';

/** Runs `open` with the SDK's endpoint variable pointing at the proxy: clients made meanwhile keep it. */
export async function throughProxy<Result>(proxy: FaultProxy, open: () => Promise<Result>): Promise<Result> {
  return await withEnvironment({ AWS_ENDPOINT_URL_S3: proxy.url }, open);
}

/** Runs `work` with other variables; undefined takes one away. */
export async function withEnvironment<Result>(
  variables: Readonly<Record<string, string | undefined>>,
  work: () => Promise<Result>,
): Promise<Result> {
  const former = Object.fromEntries(Object.keys(variables).map((name) => [name, process.env[name]]));
  apply(variables);
  try {
    return await work();
  } finally {
    apply(former);
  }
}

function apply(variables: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = value;
  }
}

/** A source behind the proxy that retries at once, and gives a silent socket up after 5 s. */
export async function openTestSource(
  proxy: FaultProxy,
  uri: string,
  options: Partial<BucketOptions> = {},
): Promise<Source> {
  const location = parseS3Uri(uri);
  if (location === undefined) throw new Error(`no S3 URI: ${uri}`);
  const patience = { totalMs: 10_000, firstDelayMs: 1, maxDelayMs: 4, ...options.patience };
  const log = options.log ?? recordingLogger();
  const defaults = { maxAttempts: 1, socketTimeoutMs: 5_000 };
  const { reaches, ...source } = await throughProxy(proxy, () =>
    createS3Source(uri, location, { ...defaults, ...options, log, patience }),
  );
  return { ...source, covers: (key) => Promise.resolve(reaches(key)) };
}
