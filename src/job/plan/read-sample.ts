import { EmbatchError, isEmbatchError } from '../../core/errors.js';
import { objectUri } from '../../core/ids.js';
import type { Abortable, Source, SourceObject } from '../../core/interfaces.js';
import { mapConcurrent } from '../../core/streams.js';
import { isRecordFormat, typeOfKey } from '../../document/formats.js';
import { readParts } from '../../document/read-parts.js';
import type { BundlePart, OutlinedPart } from '../bundle.js';
import type { EmbeddingPool } from '../engine.js';
import { BUNDLE_BYTES } from '../read-objects.js';
import { measures, type SampledObject, type Yield } from './estimate.js';

/** Of an object with many records no more than this is read; of a compressed one, as stored. */
const PREFIX_BYTES = 2 ** 20;
/** What is unpacked lags behind what was read, which matters less the more it is. */
const COMPRESSED_PREFIX_BYTES = 4 * 2 ** 20;
/** Parts that are kept to measure the rate by. */
const KEPT_BYTES = 4 * 2 ** 20;
const OBJECTS_PER_WORKER = 2;

export interface SampleOptions extends Abortable {
  readonly source: Source;
  readonly pool: EmbeddingPool;
  readonly maxDocumentBytes: number;
}

/** What was read of a sample. */
export interface ReadSample {
  readonly strata: ReadonlyMap<string, readonly SampledObject[]>;
  readonly objects: number;
  readonly bytes: number;
  /** Documents that would be dead letters, by what is wrong with them. */
  readonly failed: ReadonlyMap<string, number>;
  /** Objects that could not be read, by reason: they say nothing. */
  readonly passedOver: ReadonlyMap<string, number>;
  /** Some of what was read. */
  readonly parts: readonly BundlePart[];
}

const nothing: Yield = { documents: 0, chunks: 0, tokens: 0, textBytes: 0 };

/** Reads, cuts and tokenises the drawn objects, without a model call. Errors: SOURCE, MODEL. */
export async function readSample(
  drawn: ReadonlyMap<string, readonly SourceObject[]>,
  options: SampleOptions,
): Promise<ReadSample> {
  const strata = new Map<string, SampledObject[]>();
  const failed = new Map<string, number>();
  const passedOver = new Map<string, number>();
  const parts: BundlePart[] = [];
  let keptBytes = 0;
  let objects = 0;
  let bytes = 0;
  const keep = (part: BundlePart): void => {
    if (keptBytes >= KEPT_BYTES) return;
    keptBytes += part.part.bytes.length;
    parts.push(part);
  };
  const all = [...drawn].flatMap(([name, stratum]) => stratum.map((object) => ({ name, object })));
  const read = mapConcurrent(all, options.pool.workers * OBJECTS_PER_WORKER, async ({ name, object }) => {
    try {
      return { name, outcome: await readObject(object, { ...options, failed, keep }) };
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === undefined) throw error;
      return { name, reason };
    }
  });
  for await (const { name, outcome, reason } of read) {
    if (outcome === undefined) {
      passedOver.set(reason, (passedOver.get(reason) ?? 0) + 1);
      continue;
    }
    objects += 1;
    bytes += outcome.readBytes;
    strata.set(name, [...(strata.get(name) ?? []), outcome.sampled]);
  }
  return { strata, objects, bytes, failed, passedOver, parts };
}

function reasonOf(error: unknown): string | undefined {
  if (isEmbatchError(error, 'OBJECT_GONE')) return 'gone';
  if (isEmbatchError(error, 'OBJECT_DENIED')) return 'denied';
  return isEmbatchError(error, 'OBJECT_UNREADABLE') ? 'unreadable' : undefined;
}

interface ObjectOptions extends SampleOptions {
  readonly failed: Map<string, number>;
  readonly keep: (part: BundlePart) => void;
}

interface ReadObject {
  readonly sampled: SampledObject;
  readonly readBytes: number;
}

async function readObject(listed: SourceObject, options: ObjectOptions): Promise<ReadObject> {
  const { source, pool, signal, maxDocumentBytes, failed, keep } = options;
  const open = await source.open(listed, { signal });
  const { key, version, lastModified, size } = open.object;
  const object = {
    uri: objectUri(source.id, key),
    key,
    version,
    lastModified,
    contentType: open.contentType,
  };
  let readBytes = 0;
  const body = counted(open.body, (bytes) => (readBytes += bytes));
  const yields: PartYield[] = [];
  const isCompressed = typeOfKey(key).gzip;
  let factor = 1;
  const count = (reason: string): void => void failed.set(reason, (failed.get(reason) ?? 0) + 1);
  const outcomes = readParts({ ...open, body }, { maxDocumentBytes, partBytes: BUNDLE_BYTES, signal });
  for await (const outcome of outcomes) {
    if (outcome.kind === 'failed') count(outcome.reason);
    if (outcome.kind !== 'part') continue;
    const part = { object, part: outcome.part };
    keep(part);
    yields.push({ bytes: outcome.part.bytes.length, yield: await outline(part, pool, count) });
    if (!isRecordFormat(outcome.part.format)) continue;
    const done = isCompressed ? readBytes : outcome.part.offset + outcome.part.bytes.length;
    if (done < (isCompressed ? COMPRESSED_PREFIX_BYTES : PREFIX_BYTES) || done >= size) continue;
    factor = size / done;
    break;
  }
  return { sampled: sampledObject(listed.size, factor, yields), readBytes };
}

interface PartYield {
  readonly bytes: number;
  readonly yield: Yield;
}

/**
 * @param factor the whole by what was read of it. Where that is only the beginning, its parts tell how much they differ, and so how far
 * the rest may be off
 */
function sampledObject(listedBytes: number, factor: number, parts: readonly PartYield[]): SampledObject {
  const total = { ...nothing };
  const variance = { ...nothing };
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  for (const measure of measures) {
    const sum = parts.reduce((all, part) => all + part.yield[measure], 0);
    total[measure] = sum * factor;
    if (factor === 1 || parts.length < 2 || bytes === 0) continue;
    const ratio = sum / bytes;
    const squares = parts.reduce((all, part) => all + (part.yield[measure] - ratio * part.bytes) ** 2, 0);
    const partsInAll = parts.length * factor;
    variance[measure] = (partsInAll ** 2 * (1 - 1 / factor) * (squares / (parts.length - 1))) / parts.length;
  }
  return { bytes: Math.max(0, listedBytes), yield: total, variance };
}

async function outline(
  part: BundlePart,
  pool: EmbeddingPool,
  failed: (reason: string) => void,
): Promise<Yield> {
  const result = await pool.run({ kind: 'outline', parts: [part] });
  if (result.kind !== 'outline')
    throw new EmbatchError('BUG', 'a worker answered an outline with something else');
  return yieldOf(result.parts, failed);
}

function yieldOf(parts: readonly OutlinedPart[], failed: (reason: string) => void): Yield {
  const sum = { ...nothing };
  for (const document of parts.flatMap(({ documents }) => documents)) {
    if (document.kind === 'failed') failed(document.reason);
    if (document.kind !== 'outlined') continue;
    sum.documents += 1;
    sum.chunks += document.ids.length;
    sum.tokens += document.tokens;
    sum.textBytes += document.textBytes;
  }
  return sum;
}

async function* counted(
  body: AsyncIterable<Uint8Array>,
  count: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const piece of body) {
    count(piece.byteLength);
    yield piece;
  }
}
