import { setTimeout as pause } from 'node:timers/promises';
import type {
  BatchV1Api,
  ConfigurationOptions,
  CoreV1Api,
  KubeConfig,
  RequestContext,
  ResponseContext,
} from '@kubernetes/client-node';
import type { Abortable } from '../../core/interfaces.js';
import { apiError, isTransient, statusOf } from './api-errors.js';

/** A cluster that swallows packets must not hold us for as long as the system's patience lasts. */
const REQUEST_TIMEOUT_MS = 30_000;
const RETRY_AFTER_MS = [500, 1500] as const;

export interface Cluster {
  readonly batch: BatchV1Api;
  readonly core: CoreV1Api;
  /** Of the API server. */
  readonly address: string;
  /**
   * Makes a call: bound in time, tried again where that is safe. Errors: USAGE for what the API server refuses, ENGINE
   * where it cannot be reached or did not recover; the `cause` is what the client threw.
   */
  call<Answer>(
    make: (options: ConfigurationOptions) => Promise<Answer>,
    settings: CallSettings,
  ): Promise<Answer>;
}

/** Connects to nothing yet. */
export async function openCluster(config: KubeConfig): Promise<Cluster> {
  const { BatchV1Api, CoreV1Api, Observable } = await import('@kubernetes/client-node');
  const address = addressOf(config);
  const optionsFor = (signal: AbortSignal): ConfigurationOptions => ({
    middleware: [
      {
        pre: (request: RequestContext) => {
          request.setSignal(signal);
          return new Observable(Promise.resolve(request));
        },
        post: (response: ResponseContext) => new Observable(Promise.resolve(response)),
      },
    ],
    middlewareMergeStrategy: 'append',
  });
  return {
    batch: config.makeApiClient(BatchV1Api),
    core: config.makeApiClient(CoreV1Api),
    address,
    call: (make, settings) => callPatiently((signal) => make(optionsFor(signal)), address, settings),
  };
}

export function addressOf(config: KubeConfig): string {
  return config.getCurrentCluster()?.server ?? '';
}

export function namespaceOf(config: KubeConfig): string | undefined {
  return config.getContextObject(config.getCurrentContext())?.namespace ?? undefined;
}

export interface CallSettings extends Abortable {
  /** For messages: what is asked, such as `read the Job docs-1 in namespace docs`. */
  readonly what: string;
  /** Doing it twice is the same as once. */
  readonly idempotent: boolean;
}

async function callPatiently<Answer>(
  make: (signal: AbortSignal) => Promise<Answer>,
  address: string,
  { what, idempotent, signal }: CallSettings,
): Promise<Answer> {
  for (let attempt = 0; ; attempt += 1) {
    signal?.throwIfAborted();
    const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    try {
      return await make(signal === undefined ? timeout : AbortSignal.any([timeout, signal]));
    } catch (error) {
      signal?.throwIfAborted();
      const wait = RETRY_AFTER_MS[attempt];
      // 429 was not carried out, whatever it was.
      if (wait === undefined || !(idempotent ? isTransient(error) : statusOf(error) === 429)) {
        throw apiError(error, what, address);
      }
      await pause(wait, undefined, { signal });
    }
  }
}
