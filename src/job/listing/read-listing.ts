import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { compareUtf8 } from '../../core/bytes-order.js';
import { EmbatchError, isEmbatchError } from '../../core/errors.js';
import type { Abortable, Logger, Source, SourceObject, StateStore } from '../../core/interfaces.js';
import type { Options } from '../../core/options.js';
import { mapConcurrent } from '../../core/streams.js';
import { formatCount } from '../../core/units.js';
import { assertSameOrigin, originOf, readHead, type ListingBlock, type ListingHead } from './head.js';

const decompress = promisify(gunzip);
/** Blocks that are held at once. */
const BLOCKS_AHEAD = 3;

export interface ListedSourceOptions {
  readonly store: StateStore;
  readonly options: Options;
  readonly log: Logger;
}

/**
 * The same source, listed as it was when the listing was written. An object that the listing lacks and that is there by now
 * has not left the source: before rows are removed, it is looked for. Errors: USAGE where there is no listing, or one of
 * another source; `list` fails with SOURCE where a part of it is damaged.
 */
export async function listedSource(
  source: Source,
  { store, options, log }: ListedSourceOptions,
): Promise<Source> {
  const head = await readHead(store);
  if (head === undefined) {
    throw new EmbatchError(
      'USAGE',
      `there is no listing at --source-manifest ${store.uri}: write it with \`embatch plan --write-manifest ${store.uri}\`.`,
    );
  }
  assertSameOrigin(head, originOf(source, options), store.uri);
  log.info(`the listing of ${source.uri} is that of ${head.taken}: ${formatCount(head.objects)} objects`);
  return {
    ...source,
    list: (abortable = {}) => readListing(head, store, abortable),
    covers: async (key, covering) =>
      (await source.covers(key, covering)) && (covering?.filters === false || !(await isThere(source, key))),
    open: (object, opening) => source.open(object, opening),
    async close() {
      await store.close();
      await source.close();
    },
  };
}

async function isThere(source: Source, key: string): Promise<boolean> {
  try {
    // Whatever its version is by now: a listed one that has changed is looked up anew.
    const { body } = await source.open({ key, size: -1, version: '-', lastModified: '' });
    await body[Symbol.asyncIterator]().return?.();
    return true;
  } catch (error) {
    if (isEmbatchError(error, 'OBJECT_GONE')) return false;
    if (isEmbatchError(error, 'OBJECT_DENIED') || isEmbatchError(error, 'OBJECT_UNREADABLE')) return true;
    throw error;
  }
}

async function* readListing(
  head: ListingHead,
  store: StateStore,
  { signal }: Abortable,
): AsyncGenerator<SourceObject> {
  let last: string | undefined;
  let objects = 0;
  const blocks = mapConcurrent(head.blocks, BLOCKS_AHEAD, (block) => readBlock(block, store, signal));
  for await (const lines of blocks) {
    for (const line of lines) {
      signal?.throwIfAborted();
      const object = parseObject(line);
      if (object === undefined || (last !== undefined && compareUtf8(last, object.key) >= 0)) {
        throw damaged(store, 'a line of it is not what was written');
      }
      last = object.key;
      objects += 1;
      yield object;
    }
  }
  if (objects !== head.objects) {
    throw damaged(store, `it names ${formatCount(head.objects)} objects and has ${formatCount(objects)}`);
  }
}

async function readBlock(
  { name, objects, sha256 }: ListingBlock,
  store: StateStore,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const bytes = await store.get(name, { signal });
  if (bytes === undefined) throw damaged(store, `${name} is gone`);
  if (createHash('sha256').update(bytes).digest('hex') !== sha256)
    throw damaged(store, `${name} has changed`);
  const lines = (await decompress(bytes)).toString().trimEnd().split('\n');
  if (lines.length !== objects) throw damaged(store, `${name} has ${lines.length} lines, not ${objects}`);
  return lines;
}

function parseObject(line: string): SourceObject | undefined {
  const values: unknown = JSON.parse(line);
  if (!Array.isArray(values)) return undefined;
  const [key, size, version, lastModified, skip] = values as unknown[];
  if (typeof key !== 'string' || typeof size !== 'number' || typeof version !== 'string') return undefined;
  if (typeof lastModified !== 'string') return undefined;
  return { key, size, version, lastModified, ...(typeof skip === 'string' ? { skip } : {}) };
}

function damaged(store: StateStore, what: string): EmbatchError {
  return new EmbatchError(
    'SOURCE',
    `The listing in ${store.uri} is damaged: ${what}. Nothing was deleted. Write it anew with \`embatch plan --write-manifest\`.`,
  );
}
