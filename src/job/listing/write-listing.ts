import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Source, SourceObject, StateStore } from '../../core/interfaces.js';
import type { Options } from '../../core/options.js';
import { newRunId } from '../run-id.js';
import { BLOCK_OBJECTS, HEAD_NAME, originOf, readHead, type ListingBlock } from './head.js';

const compress = promisify(gzip);

export interface WriteOptions {
  readonly store: StateStore;
  readonly source: Source;
  readonly options: Options;
  readonly signal: AbortSignal;
}

/**
 * Passes a listing on and writes it down meanwhile, in blocks of gzipped JSON lines; whoever reads it to its end has written
 * it. Its head comes last, so that half a listing is none; the former one stays in force until then, and its blocks go
 * afterwards. Error: STATE.
 */
export async function* writeListing(
  listing: AsyncIterable<SourceObject>,
  { store, source, options, signal }: WriteOptions,
): AsyncGenerator<SourceObject> {
  const taken = new Date().toISOString();
  const run = newRunId();
  const former = await readHead(store, signal).catch(() => undefined);
  const blocks: ListingBlock[] = [];
  let lines: string[] = [];
  let objects = 0;
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (lines.length === 0) return;
    const block = await compress(`${lines.join('\n')}\n`);
    const name = `block-${run}-${String(blocks.length).padStart(6, '0')}.jsonl.gz`;
    await store.put(name, block, { signal });
    blocks.push({ name, objects: lines.length, sha256: createHash('sha256').update(block).digest('hex') });
    lines = [];
  };
  for await (const object of listing) {
    objects += 1;
    bytes += Math.max(0, object.size);
    lines.push(formatObject(object));
    if (lines.length === BLOCK_OBJECTS) await flush();
    yield object;
  }
  await flush();
  const head = { ...originOf(source, options), taken, objects, bytes, blocks };
  await store.put(HEAD_NAME, JSON.stringify(head), { signal });
  for (const { name } of former?.blocks ?? []) await store.delete(name, { signal });
}

/** An array: a listing holds millions of them. */
function formatObject({ key, size, version, lastModified, skip }: SourceObject): string {
  const values = [key, size, version, lastModified];
  return JSON.stringify(skip === undefined ? values : [...values, skip]);
}
