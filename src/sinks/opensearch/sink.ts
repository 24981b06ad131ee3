import { EmbatchError, isEmbatchError } from '../../core/errors.js';
import type { Abortable, IndexInfo, Sink, WriteOutcome } from '../../core/interfaces.js';
import { notPrepared, refusalOf } from '../../core/row-check.js';
import type { SinkContext } from '../context.js';
import { BULK_FILTER, type BulkAnswer } from './bulk-answer.js';
import { createBulkWriter, type LineOutcome } from './bulk-writer.js';
import { createByteLimiter } from './byte-limiter.js';
import { checkServer } from './check-server.js';
import { connect, type Cluster } from './client.js';
import { parseConfig, type Config, type OpenSearchOptions } from './config.js';
import { explainFailure, indexLost } from './explain.js';
import { RequestFailure } from './failure.js';
import { estimateBytes, serialiseDeletion, serialiseRow } from './ndjson.js';
import { prepareIndex, readIndex, refreshIndex, type OpenIndex } from './open-index.js';
import type { Fetch } from './pages.js';
import { getRows, scanFacts, scanRows } from './read-rows.js';
import { retrying } from './retry.js';
import { searchIndex } from './search.js';
import { findStale } from './stale-rows.js';
import { prepareWriteAlias, type WriteTarget } from './write-alias.js';

/** Server-side wait for a shard that is moving; shorter than our own patience with one request. */
const SHARD_TIMEOUT = '30s';

/**
 * Vectors in an index of an OpenSearch cluster, 2.9 or newer with the k-NN plugin. User name and password come
 * from `OPENSEARCH_USERNAME` and `OPENSEARCH_PASSWORD`, SigV4 credentials from the AWS chain. Nothing is sent
 * before the first call. USAGE: a URI or options that cannot be meant.
 */
export function createOpenSearchSink(
  uri: string,
  options: OpenSearchOptions,
  { log }: Pick<SinkContext, 'log'>,
): Sink {
  const config = parseConfig(uri, options, process.env);
  refuseServerless(config);
  let connecting: Promise<Cluster> | undefined;
  let contacted = false;
  let open: OpenIndex | undefined;
  let target: WriteTarget | undefined;
  const pauses = { retryMs: config.retryPauseMs, blockedMs: config.blockedPauseMs };

  /** Runs a request, or a few that belong together, with retries and the user's words for what fails. */
  async function call<T>(work: (cluster: Cluster) => Promise<T>, { signal }: Abortable): Promise<T> {
    signal?.throwIfAborted();
    connecting ??= connect(config, log);
    const cluster = await connecting;
    try {
      const { uri, patienceMs } = config;
      return await retrying(
        async () => {
          if (!contacted) await checkServer(cluster, config.uri, { signal });
          contacted = true;
          return work(cluster);
        },
        { uri, pauses, patienceMs, log, isFirstContact: () => !contacted, signal },
      );
    } catch (error) {
      throw error instanceof RequestFailure ? explainFailure(error, config.uri) : error;
    }
  }

  function opened(): OpenIndex {
    if (open === undefined) throw notPrepared(config.uri);
    return open;
  }

  const writer = createBulkWriter({
    uri: config.uri,
    limiter: createByteLimiter({
      maxBytes: config.concurrency * config.maxBytes,
      maxRequests: config.concurrency,
    }),
    maxBytes: config.maxBytes,
    maxRows: config.maxRows,
    pauses,
    patienceMs: config.patienceMs,
    log,
    async send(body, { signal }) {
      if (connecting === undefined || target === undefined) throw notPrepared(config.uri);
      const cluster = await connecting;
      const answer = await cluster.request(
        {
          method: 'POST',
          path: [target.name, '_bulk'],
          query: { require_alias: String(target.isAlias), timeout: SHARD_TIMEOUT, filter_path: BULK_FILTER },
          body,
        },
        { signal },
      );
      return answer as BulkAnswer;
    },
  });

  return {
    uri: config.uri,
    limits: { maxRows: config.maxRows, maxBytes: config.maxBytes, concurrency: config.concurrency },
    leaseUri: undefined,

    async inspect(callOptions = {}) {
      open = await call((cluster) => readIndex(cluster, config, callOptions), callOptions);
      return open?.info;
    },

    async prepare(wanted, callOptions = {}) {
      const { signal } = callOptions;
      let recreate = callOptions.recreate ?? false;
      const found = await call(async (cluster) => {
        const index = await prepareIndex(cluster, config, wanted, { signal, recreate });
        // A retry must not drop what this very call has just made.
        recreate = false;
        return index;
      }, callOptions);
      open = found;
      target = config.writeAlias
        ? await call((cluster) => prepareWriteAlias(cluster, found, log, { signal }), callOptions)
        : { name: found.name, isAlias: false };
      return found.info;
    },

    sizeOf: (row) => estimateBytes(row, opened().layout),

    async write(rows, callOptions = {}) {
      callOptions.signal?.throwIfAborted();
      const { layout, info } = opened();
      const refusals = rows.map((row) => refusalOf(row, info.dimensions));
      const sound = rows.filter((_, index) => refusals[index] === undefined);
      const outcomes = (
        await writer.write(
          sound.map((row) => serialiseRow(row, layout)),
          callOptions,
        )
      ).values();
      return refusals.map((reason): WriteOutcome =>
        reason === undefined
          ? writeOutcome(outcomes.next().value as LineOutcome)
          : { ok: false, attempts: 1, reason },
      );
    },

    async removeRows(stale, callOptions = {}) {
      const index = opened();
      const { signal } = callOptions;
      // What was acknowledged a moment ago is not found before.
      const cluster = await refreshed(index, callOptions);
      let removed = 0;
      const fetch: Fetch = (work) => call(work, callOptions);
      for await (const documents of findStale(cluster, index, stale, fetch, callOptions)) {
        removed += removedOf(await writer.write(documents.map(serialiseDeletion), { signal }), config.uri);
      }
      return removed;
    },

    async finish(callOptions = {}) {
      const index = opened();
      await refreshed(index, { signal: callOptions.signal });
      await assertStillOurs(index.info, callOptions);
    },

    async search(vector, k, callOptions = {}) {
      const index = opened();
      return call((cluster) => searchIndex(cluster, index, vector, k, callOptions), callOptions);
    },

    async get(ids, callOptions = {}) {
      const index = opened();
      const cluster = await connected(callOptions);
      return getRows(cluster, index, ids, (work) => call(work, callOptions), callOptions);
    },

    async *facts(callOptions = {}) {
      const index = opened();
      const cluster = await refreshed(index, callOptions);
      yield* scanFacts(cluster, index, (work) => call(work, callOptions), callOptions);
    },

    async *scan(callOptions = {}) {
      const index = opened();
      const cluster = await connected(callOptions);
      yield* scanRows(cluster, index, (work) => call(work, callOptions), callOptions);
    },

    async close() {
      const cluster = await connecting?.catch(() => undefined);
      await cluster?.close();
    },
  };

  function connected(callOptions: Abortable): Promise<Cluster> {
    return call((cluster) => Promise.resolve(cluster), callOptions);
  }

  /** A search from now on sees all that was acknowledged. */
  function refreshed({ name }: OpenIndex, callOptions: Abortable): Promise<Cluster> {
    return call(async (cluster) => {
      await refreshIndex(cluster, name, callOptions);
      return cluster;
    }, callOptions);
  }

  /** What was written must be in the index that was opened: for clusters where the alias could not be made. */
  async function assertStillOurs({ indexId }: IndexInfo, callOptions: Abortable): Promise<void> {
    const now = await call((cluster) => readIndex(cluster, config, callOptions), callOptions).catch(
      (error: unknown) => {
        // A bulk request to a dropped index made one that knows nothing of us.
        if (isEmbatchError(error, 'USAGE')) return undefined;
        throw error;
      },
    );
    if (now?.info.indexId !== indexId) throw indexLost(config.uri);
  }
}

function writeOutcome(outcome: LineOutcome): WriteOutcome {
  const { ok, attempts } = outcome;
  return ok ? { ok, attempts } : { ok, attempts, reason: outcome.reason };
}

/** 404: another was faster; 409: written again since it was seen, which is for its writer to answer for. */
const passedBy = new Set<number | undefined>([404, 409]);

function removedOf(outcomes: readonly LineOutcome[], uri: string): number {
  const refused = outcomes.find((outcome) => !outcome.ok && !passedBy.has(outcome.status));
  if (refused?.ok === false) {
    throw new EmbatchError('SINK', `${uri} refused to delete rows that are out of date: ${refused.reason}.`);
  }
  return outcomes.filter(({ ok }) => ok).length;
}

function refuseServerless({ auth, uri, node }: Config): void {
  const serverless = auth.kind === 'sigv4' && auth.service === 'aoss';
  if (!serverless && !node.includes('.aoss.amazonaws.com')) return;
  throw new EmbatchError(
    'USAGE',
    `${uri} is OpenSearch Serverless, whose vector collections choose the ids of rows themselves, so that a second ` +
      'run would double them; embatch does not support that yet: use a managed domain or a cluster of your own.',
  );
}
