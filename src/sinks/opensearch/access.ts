import type { Abortable, Closable, Logger } from '../../core/interfaces.js';
import { checkServer } from './check-server.js';
import { connect, type Cluster } from './client.js';
import type { Config } from './config.js';
import { explainFailure } from './explain.js';
import { RequestFailure } from './failure.js';
import { retrying } from './retry.js';

/** The way to the cluster for everything but bulk requests, which have retries of their own (bulk-writer.ts). */
export interface Access extends Closable {
  /** Runs a request, or a few that belong together, with retries and the user's words for what fails. */
  call<T>(work: (cluster: Cluster) => Promise<T>, options: Abortable): Promise<T>;
  /** Undefined before the first `call`. */
  cluster(): Promise<Cluster> | undefined;
}

/** Nothing is sent before the first call. */
export function createAccess(config: Config, log: Logger): Access {
  const { uri, patienceMs } = config;
  const pauses = { retryMs: config.retryPauseMs, blockedMs: config.blockedPauseMs };
  let connecting: Promise<Cluster> | undefined;
  let contacted = false;
  return {
    async call(work, { signal }) {
      signal?.throwIfAborted();
      connecting ??= connect(config, log);
      const cluster = await connecting;
      try {
        return await retrying(
          async () => {
            // Serverless has no version to ask for: what it cannot do shows when it is asked to.
            if (!contacted && !config.serverless) await checkServer(cluster, uri, { signal });
            contacted ||= !config.serverless;
            const result = await work(cluster);
            contacted = true;
            return result;
          },
          { uri, pauses, patienceMs, log, isFirstContact: () => !contacted, signal },
        );
      } catch (error) {
        throw error instanceof RequestFailure ? explainFailure(error, uri) : error;
      }
    },
    cluster: () => connecting,
    async close() {
      const cluster = await connecting?.catch(() => undefined);
      await cluster?.close();
    },
  };
}
