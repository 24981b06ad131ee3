/**
 * Every implementation that a URI can name, as lazy imports: nothing native is loaded before it is needed, and
 * importing registers nothing. A new sink is a folder in src/sinks and a line here.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EmbatchError, describeError, isEmbatchError } from '../core/errors.js';
import type { Sink } from '../core/interfaces.js';
import type { Options } from '../core/options.js';
import type { SinkContext } from '../sinks/context.js';
import type { OpenSearchOptions } from '../sinks/opensearch/config.js';

type SinkFactory = (uri: string, options: Options, context: SinkContext) => Promise<Sink>;

const openSearch: SinkFactory = async (uri, options, context) => {
  const { createOpenSearchSink } = await import('../sinks/opensearch/sink.js');
  return createOpenSearchSink(uri, openSearchOptions(options), context);
};

/** The options as the sink takes them. */
export function openSearchOptions(options: Options): OpenSearchOptions {
  return {
    auth: options.opensearchAuth,
    caFile: options.opensearchCaFile,
    layout: options.layout,
    engine: options.knnEngine,
    shards: options.indexShards,
    replicas: options.indexReplicas,
    maxRows: options.sinkBatchRows,
    maxBytes: options.sinkBatchBytes,
    concurrency: options.sinkConcurrency,
    patienceMs: options.sinkPatience,
  };
}

/** By URI scheme. */
const sinks: Readonly<Record<string, SinkFactory>> = {
  lancedb: async (uri, options, context) => {
    const { createLanceDbSink } = await import('../sinks/lancedb/sink.js');
    return createLanceDbSink(
      uri,
      { maxRows: options.sinkBatchRows, maxBytes: options.sinkBatchBytes },
      context,
    );
  },
  opensearch: openSearch,
  'opensearch+http': openSearch,
  jsonl: async (uri, options, context) => {
    const { createJsonlSink } = await import('../sinks/jsonl/sink.js');
    return createJsonlSink(
      uri,
      { maxRows: options.sinkBatchRows, maxBytes: options.sinkBatchBytes },
      context,
    );
  },
};

/** Opens nothing yet: the sink connects when it is inspected or prepared. Error: USAGE. */
export async function createSink(uri: string, options: Options, context: SinkContext): Promise<Sink> {
  if (/\.[cm]?js$/.test(uri)) return createForeignSink(uri, options, context);
  const scheme = /^([a-z+]+):/.exec(uri)?.[1] ?? '';
  const factory = sinks[scheme];
  if (factory !== undefined) return factory(uri, options, context);
  throw new EmbatchError(
    'USAGE',
    `--sink ${JSON.stringify(uri)} names no sink: give lancedb:DIR, opensearch://host:9200/index, ` +
      'opensearch+http://host:9200/index, jsonl:DIR or the path of a module that exports createSink.',
  );
}

/** A module of the user's own; it exports `createSink` with the parameters of the factories above. */
async function createForeignSink(path: string, options: Options, context: SinkContext): Promise<Sink> {
  const file = resolve(path);
  if ((await stat(file).catch(() => undefined))?.isFile() !== true) {
    throw new EmbatchError('USAGE', `--sink ${path}: there is no such module (looked for ${file}).`);
  }
  const module = (await import(pathToFileURL(file).href).catch((error: unknown) => {
    throw new EmbatchError('USAGE', `--sink ${path} cannot be loaded: ${describeError(error)}`, {
      cause: error,
    });
  })) as { createSink?: SinkFactory };
  if (typeof module.createSink !== 'function') {
    throw new EmbatchError('USAGE', `--sink ${path} exports no function createSink(uri, options, context).`);
  }
  const sink = await module.createSink(path, options, context);
  const needed = options.delete ? [...neededMethods, 'removeRows' as const] : neededMethods;
  const missing = needed.filter((name) => typeof sink[name] !== 'function');
  if (missing.length > 0) {
    const wayOn = missing.every((name) => name === 'removeRows') ? ' Add it, or use --no-delete.' : '';
    throw new EmbatchError('USAGE', `--sink ${path} has no method ${missing.join(', ')}.${wayOn}`);
  }
  return withSinkErrors(sink, path);
}

/** What every run calls; a module need not be typed. */
const neededMethods = ['inspect', 'prepare', 'sizeOf', 'write', 'finish', 'close'] as const;

/** What ends because of a signal is no failure. */
const wasAborted = (args: readonly unknown[]): boolean =>
  args.some((arg) => typeof arg === 'object' && arg !== null && 'signal' in arg && isAborted(arg.signal));
const isAborted = (signal: unknown): boolean => signal instanceof AbortSignal && signal.aborted;

/** Whatever a foreign sink throws is its own failure and no bug of ours. */
function withSinkErrors(sink: Sink, path: string): Sink {
  const explained = (error: unknown): never => {
    if (isEmbatchError(error)) throw error;
    throw new EmbatchError('SINK', `${path}: ${describeError(error)}`, { cause: error });
  };
  return new Proxy(sink, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]): unknown => {
        const result: unknown = Reflect.apply(member, target, args);
        if (!(result instanceof Promise)) return result;
        return result.catch((error: unknown) => {
          if (wasAborted(args)) throw error;
          return explained(error);
        });
      };
    },
  });
}
