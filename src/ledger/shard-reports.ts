import type { Abortable, StateStore } from '../core/interfaces.js';
import { mapConcurrent } from '../core/streams.js';
import type { ShardRef } from './names.js';

const READS_AT_ONCE = 32;

/** What a shard has stored of itself, as it was written; undefined where there is nothing, or it cannot be read. */
export interface ShardReport {
  readonly shard: ShardRef;
  /** What its last run set out to do: `run` and `time` at least. */
  readonly start: Stored | undefined;
  /** How far it was when it was last heard of. */
  readonly heartbeat: Stored | undefined;
  /** What a run of it ended with. */
  readonly summary: Stored | undefined;
  /** What a retry of it ended with. */
  readonly retry: Stored | undefined;
}

type Stored = Readonly<Record<string, unknown>>;

const pathPattern = /^shards\/(\d+)-of-(\d+)\/(run|heartbeat|summary|retry)\.json$/;

/** What every shard that ever ran has stored, also those of other numbers of shards. Error: STATE. */
export async function readShardReports(store: StateStore, options: Abortable = {}): Promise<ShardReport[]> {
  const found = (await store.list('shards/', options)).flatMap((path) => {
    const [, index, count, kind] = pathPattern.exec(path) ?? [];
    return kind === undefined ? [] : [{ path, kind, shard: { index: Number(index), count: Number(count) } }];
  });
  const reports = new Map<string, ShardReport>();
  const read = mapConcurrent(found, READS_AT_ONCE, async (place) => ({
    ...place,
    stored: parsed(await store.get(place.path, options)),
  }));
  for await (const { kind, shard, stored } of read) {
    const name = `${shard.index}-of-${shard.count}`;
    const report = reports.get(name) ?? {
      shard,
      start: undefined,
      heartbeat: undefined,
      summary: undefined,
      retry: undefined,
    };
    reports.set(name, { ...report, [kind === 'run' ? 'start' : kind]: stored });
  }
  return [...reports.values()].sort((a, b) => a.shard.count - b.shard.count || a.shard.index - b.shard.index);
}

/** A blob that is cut off or not ours says nothing. */
function parsed(bytes: Uint8Array | undefined): Stored | undefined {
  if (bytes === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString());
    return typeof value === 'object' && value !== null ? (value as Stored) : undefined;
  } catch {
    return undefined;
  }
}
