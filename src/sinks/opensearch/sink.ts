import { isEmbatchError } from '../../core/errors.js';
import type { Abortable, IndexInfo, Sink, WriteOutcome } from '../../core/interfaces.js';
import { notPrepared, refusalOf } from '../../core/row-check.js';
import type { SinkContext } from '../context.js';
import { createAccess } from './access.js';
import { BULK_FILTER, type BulkAnswer } from './bulk-answer.js';
import { createBulkWriter, type LineOutcome } from './bulk-writer.js';
import { createByteLimiter } from './byte-limiter.js';
import { parseConfig, type OpenSearchOptions } from './config.js';
import { indexLost } from './explain.js';
import { RequestFailure } from './failure.js';
import { estimateBytes } from './ndjson.js';
import { prepareIndex, readIndex, type OpenIndex } from './open-index.js';
import { scanFacts, scanRows } from './read-rows.js';
import type { RowStore } from './row-store.js';
import { createRowsByField } from './rows-by-field.js';
import { createRowsById } from './rows-by-id.js';
import { searchIndex } from './search.js';
import { createVisibility } from './visibility.js';
import { prepareWriteAlias, type WriteTarget } from './write-alias.js';

/** Server-side wait for a shard that is moving; shorter than our own patience with one request. */
const SHARD_TIMEOUT = '30s';

/**
 * Vectors in an index of an OpenSearch cluster, 2.9 or newer with the k-NN plugin, or of a vector collection of
 * OpenSearch Serverless. User name and password come from `OPENSEARCH_USERNAME` and `OPENSEARCH_PASSWORD`, SigV4
 * credentials from the AWS chain. Nothing is sent before the first call. USAGE: a URI or options that cannot be
 * meant.
 */
export function createOpenSearchSink(
  uri: string,
  options: OpenSearchOptions,
  { log }: Pick<SinkContext, 'log'>,
): Sink {
  const config = parseConfig(uri, options, process.env);
  const access = createAccess(config, log);
  let open: { readonly index: OpenIndex; readonly rows: RowStore } | undefined;
  let target: WriteTarget | undefined;
  /** A new index of Serverless may be unknown here and there for a while. */
  let knownEverywhereAt = -Infinity;

  function opened(): NonNullable<typeof open> {
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
    pauses: { retryMs: config.retryPauseMs, blockedMs: config.blockedPauseMs },
    patienceMs: config.patienceMs,
    log,
    async send(body, { signal }) {
      const cluster = await access.cluster();
      const { name, isAlias } = target ?? { name: open?.index.name, isAlias: false };
      if (cluster === undefined || name === undefined) throw notPrepared(config.uri);
      const query = {
        ...(config.serverless ? {} : { require_alias: String(isAlias), timeout: SHARD_TIMEOUT }),
        filter_path: BULK_FILTER,
      };
      const request = { method: 'POST', path: [name, '_bulk'], query, body } as const;
      try {
        return assertKnown((await cluster.request(request, { signal })) as BulkAnswer);
      } catch (error) {
        throw performance.now() < knownEverywhereAt ? asNotYetKnown(error) : error;
      }
    },
  });

  function openRows(index: OpenIndex): RowStore {
    const context = { access, writer, index, uri: config.uri, log };
    if (!config.serverless) return createRowsById(context);
    const { visiblePollMs: pollMs, visibleWaitMs: waitMs, shownWithinMs } = config;
    const visibility = createVisibility({ ...context, pollMs, waitMs });
    return createRowsByField({ ...context, visibility, shownWithinMs });
  }

  return {
    uri: config.uri,
    limits: { maxRows: config.maxRows, maxBytes: config.maxBytes, concurrency: config.concurrency },
    leaseUri: undefined,

    async inspect(callOptions = {}) {
      const index = await access.call((cluster) => readIndex(cluster, config, callOptions), callOptions);
      open = index === undefined ? undefined : { index, rows: openRows(index) };
      return index?.info;
    },

    async prepare(wanted, callOptions = {}) {
      const { signal } = callOptions;
      let recreate = callOptions.recreate ?? false;
      const index = await access.call(async (cluster) => {
        const found = await prepareIndex(cluster, config, wanted, { signal, recreate });
        // A retry must not drop what this very call has just made.
        recreate = false;
        return found;
      }, callOptions);
      open = { index, rows: openRows(index) };
      const isNew = index.info.indexId === wanted.indexId;
      if (config.serverless && isNew) knownEverywhereAt = performance.now() + config.shownWithinMs;
      target = config.writeAlias
        ? await access.call((cluster) => prepareWriteAlias(cluster, index, log, { signal }), callOptions)
        : { name: index.name, isAlias: false };
      return index.info;
    },

    sizeOf: (row) => estimateBytes(row, opened().index.layout),

    async write(rows, callOptions = {}) {
      callOptions.signal?.throwIfAborted();
      const { index, rows: store } = opened();
      const refusals = rows.map((row) => refusalOf(row, index.info.dimensions));
      const sound = rows.filter((_, at) => refusals[at] === undefined);
      const outcomes = (await store.write(sound, callOptions)).values();
      return refusals.map((reason): WriteOutcome =>
        reason === undefined
          ? writeOutcome(outcomes.next().value as LineOutcome)
          : { ok: false, attempts: 1, reason },
      );
    },

    async removeRows(stale, callOptions = {}) {
      return opened().rows.removeRows(stale, callOptions);
    },

    async finish(callOptions = {}) {
      const { index, rows } = opened();
      await rows.finish(callOptions);
      await assertStillOurs(index.info, callOptions);
    },

    async search(vector, k, callOptions = {}) {
      const { index } = opened();
      return access.call(
        (cluster) => searchIndex(cluster, index, vector, k, config.serverless, callOptions),
        callOptions,
      );
    },

    async get(ids, callOptions = {}) {
      return opened().rows.get(ids, callOptions);
    },

    async *facts(callOptions = {}) {
      const { index, rows } = opened();
      await rows.settle(callOptions);
      yield* scanFacts(access, index, callOptions);
    },

    async *scan(callOptions = {}) {
      yield* scanRows(access, opened().index, callOptions);
    },

    close: () => access.close(),
  };

  /** What was written must be in the index that was opened: for clusters where the alias could not be made. */
  async function assertStillOurs({ indexId }: IndexInfo, callOptions: Abortable): Promise<void> {
    const now = await access
      .call((cluster) => readIndex(cluster, config, callOptions), callOptions)
      .catch((error: unknown) => {
        // A bulk request to a dropped index made one that knows nothing of us.
        if (isEmbatchError(error, 'USAGE')) return undefined;
        throw error;
      });
    if (now?.info.indexId !== indexId) throw indexLost(config.uri);
  }
}

const UNKNOWN_INDEX = 'index_not_found_exception';

/** Throws where all items say that there is no index, as a request for one does. */
function assertKnown(answer: BulkAnswer): BulkAnswer {
  const unknown = answer.items?.flatMap((item) => item.index ?? item.delete ?? []).map(({ error }) => error);
  const first = unknown?.[0];
  if (first === undefined || !unknown?.every((error) => error?.type === UNKNOWN_INDEX)) return answer;
  throw new RequestFailure(UNKNOWN_INDEX, first.reason ?? '', { status: 404, error: first });
}

/** The same as a refusal that passes. */
function asNotYetKnown(error: unknown): unknown {
  if (!(error instanceof RequestFailure) || error.type !== UNKNOWN_INDEX) return error;
  return new RequestFailure(UNKNOWN_INDEX, error.message, { status: 503, error: error.error });
}

function writeOutcome(outcome: LineOutcome): WriteOutcome {
  const { ok, attempts } = outcome;
  return ok ? { ok, attempts } : { ok, attempts, reason: outcome.reason };
}
