import type {
  Logger,
  OpenObject,
  PartOutcome,
  RecordKey,
  Row,
  Sink,
  Source,
  SourceObject,
} from '../core/interfaces.js';
import { EmbatchError, describeError, isEmbatchError } from '../core/errors.js';
import { objectUri } from '../core/ids.js';
import { mapConcurrent } from '../core/streams.js';
import { unreadTypeOfKey } from '../document/formats.js';
import { readParts } from '../document/read-parts.js';
import { CancelledError, type WorkerPool } from '../embed/pool.js';
import type { DeadLetters } from '../ledger/dead-letters.js';
import { shardOf } from '../shard/shard-of-key.js';
import type { BundlePart, EmbeddedPart, Task, TaskResult } from './bundle.js';
import { ObjectProgress } from './object-progress.js';
import type { RowWriter } from './row-writer.js';
import { count, type Tally } from './tally.js';

/**
 * Bytes of documents sent to a worker together: enough to sort by length, little enough that the workers end
 * at about the same time and that a stop loses seconds.
 */
const BUNDLE_BYTES = 64 * 1024;
/** Objects that are read ahead, and the size up to which one is: together the bound on what is held. */
const READ_AHEAD_OBJECTS = 16;
const READ_AHEAD_OBJECT_BYTES = 512 * 1024;
/** Bundles given to the pool per worker: one that it works on and one that waits for it. */
const BUNDLES_PER_WORKER = 2;

export interface PipelineContext {
  readonly source: Source;
  /** Every object of the source, in order; the first may have been asked for already. */
  readonly listing: AsyncIterable<SourceObject>;
  readonly sink: Sink;
  readonly pool: WorkerPool<Task, TaskResult>;
  readonly writer: RowWriter;
  readonly shard: { readonly index: number; readonly count: number };
  readonly maxDocumentBytes: number;
  readonly deadLetters: DeadLetters;
  readonly tally: Tally;
  readonly log: Logger;
  /** Ends the listing; what was read so far is embedded as far as workers have it, and written. */
  readonly stop: AbortSignal;
}

/**
 * One shard from listing to acknowledged rows: list ► mine? ► read ► bundle ► [workers] ► write. Each stage is
 * pulled by the next and the last by the sink, so that nothing piles up anywhere. Returns when every row was
 * answered, also after a stop; before an error is thrown, what was already embedded is written.
 */
export async function runPipeline(context: PipelineContext): Promise<void> {
  const { pool, writer, stop } = context;
  const embed = async (bundle: readonly TrackedPart[]): Promise<EmbeddedBundle> => ({
    bundle,
    result: await embedBundle(bundle, pool),
  });
  try {
    const read = mapConcurrent(mine(context), READ_AHEAD_OBJECTS, (object) => openObject(object, context));
    const embedded = mapConcurrent(bundles(parts(read, context)), pool.workers * BUNDLES_PER_WORKER, embed);
    for await (const { bundle, result } of embedded) {
      if (result !== undefined) await writeBundle(bundle, result, context);
    }
  } catch (error) {
    pool.cancel();
    await writer.flush().catch((other: unknown) => {
      if (other !== error) context.log.debug('rows could not be written', { error: describeError(other) });
    });
    if (!stop.aborted || isEmbatchError(error)) throw error;
  }
  await writer.flush();
}

// ── list ► mine? ─────────────────────────────────────────────────────────────────────────────────────

async function* mine(context: PipelineContext): AsyncGenerator<ObjectProgress> {
  const { listing, shard, tally, stop } = context;
  for await (const object of listing) {
    if (stop.aborted) return;
    tally.objects.listed += 1;
    if (shard.count > 1 && shardOf(object.key, shard.count) !== shard.index) continue;
    tally.objects.mine += 1;
    const progress = new ObjectProgress(object, tally);
    const skip = reasonToSkip(object);
    if (skip === undefined) {
      yield progress;
    } else {
      progress.skipped(skip);
      progress.answered();
    }
  }
}

/** What need not be opened to be left out. */
function reasonToSkip(object: SourceObject): string | undefined {
  if (object.skip !== undefined) return object.skip;
  return object.size === 0 ? 'empty' : unreadTypeOfKey(object.key);
}

// ── read ─────────────────────────────────────────────────────────────────────────────────────────────

interface OpenProgress {
  readonly progress: ObjectProgress;
  readonly open: OpenObject | undefined;
}

/** Small objects are read whole, several at a time; large ones are read when their turn comes. */
async function openObject(progress: ObjectProgress, context: PipelineContext): Promise<OpenProgress> {
  const { source, tally, stop } = context;
  try {
    const open = await source.open(progress.object, { signal: stop });
    const body = counted(open.body, tally);
    if (open.object.size > READ_AHEAD_OBJECT_BYTES) return { progress, open: { ...open, body } };
    const bytes: Uint8Array[] = [];
    for await (const piece of body) bytes.push(piece);
    return { progress, open: { ...open, body: replay(bytes) } };
  } catch (error) {
    await objectUnread(progress, error, context);
    return { progress, open: undefined };
  }
}

async function* counted(body: AsyncIterable<Uint8Array>, tally: Tally): AsyncGenerator<Uint8Array> {
  for await (const piece of body) {
    tally.bytesRead += piece.byteLength;
    yield piece;
  }
}

async function* replay(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

/** An object that cannot be read costs that object; any other error ends the shard. */
async function objectUnread(
  progress: ObjectProgress,
  error: unknown,
  context: PipelineContext,
): Promise<void> {
  if (isEmbatchError(error, 'OBJECT_GONE')) {
    // Deleted since it was listed: no longer a part of the source.
    progress.skipped('gone');
  } else if (isEmbatchError(error, 'OBJECT_DENIED') || isEmbatchError(error, 'OBJECT_UNREADABLE')) {
    const { unreadable } = context.tally;
    unreadable.count += 1;
    unreadable.firstReason ||= error.message;
    await deadLetter(progress, { record: null, stage: 'read', reason: error.message }, context);
  } else {
    throw error;
  }
  progress.answered();
}

interface TrackedPart extends BundlePart {
  readonly progress: ObjectProgress;
}

async function* parts(
  objects: AsyncIterable<OpenProgress>,
  context: PipelineContext,
): AsyncGenerator<TrackedPart> {
  for await (const { progress, open } of objects) {
    if (open === undefined) continue;
    try {
      for await (const outcome of readPartsOf(open, context)) {
        if (outcome.kind === 'part') {
          progress.expectAnswer();
          yield { progress, object: factsOf(open, context.source.id), part: outcome.part };
        } else if (outcome.kind === 'skipped') {
          progress.skipped(outcome.reason);
        } else {
          await deadLetter(
            progress,
            { record: outcome.record, stage: 'read', reason: outcome.reason },
            context,
          );
        }
      }
    } catch (error) {
      await objectUnread(progress, error, context);
      continue;
    }
    progress.answered();
  }
}

function readPartsOf(open: OpenObject, context: PipelineContext): AsyncIterable<PartOutcome> {
  const { maxDocumentBytes, stop } = context;
  return readParts(open, { maxDocumentBytes, partBytes: BUNDLE_BYTES, signal: stop });
}

function factsOf({ object, contentType }: OpenObject, sourceId: string): BundlePart['object'] {
  const { key, version, lastModified } = object;
  return { uri: objectUri(sourceId, key), key, version, lastModified, contentType };
}

// ── bundle ► workers ─────────────────────────────────────────────────────────────────────────────────

async function* bundles(parts: AsyncIterable<TrackedPart>): AsyncGenerator<readonly TrackedPart[]> {
  let bundle: TrackedPart[] = [];
  let bytes = 0;
  for await (const part of parts) {
    if (bundle.length > 0 && bytes + part.part.bytes.length > BUNDLE_BYTES) {
      yield bundle;
      bundle = [];
      bytes = 0;
    }
    bundle.push(part);
    bytes += part.part.bytes.length;
  }
  if (bundle.length > 0) yield bundle;
}

interface EmbeddedBundle {
  readonly bundle: readonly TrackedPart[];
  readonly result: readonly EmbeddedPart[] | undefined;
}

/** undefined where a stop came first: its objects stay unsettled and are done again by the next run. */
async function embedBundle(
  bundle: readonly TrackedPart[],
  pool: WorkerPool<Task, TaskResult>,
): Promise<readonly EmbeddedPart[] | undefined> {
  try {
    const parts = bundle.map(({ object, part }): BundlePart => ({ object, part }));
    const result = await pool.run(
      { kind: 'bundle', parts },
      parts.map(({ part }) => part.bytes.buffer as ArrayBuffer),
    );
    if (result.kind !== 'bundle')
      throw new EmbatchError('BUG', 'a worker answered a bundle with something else');
    return result.parts;
  } catch (error) {
    if (error instanceof CancelledError) return undefined;
    throw error;
  }
}

// ── write ────────────────────────────────────────────────────────────────────────────────────────────

async function writeBundle(
  bundle: readonly TrackedPart[],
  result: readonly EmbeddedPart[],
  context: PipelineContext,
): Promise<void> {
  for (const [index, { progress }] of bundle.entries()) {
    const part = result[index];
    if (part === undefined) throw new EmbatchError('BUG', 'a worker left out a part of its bundle');
    await writePart(progress, part, context);
    progress.answered();
  }
}

async function writePart(
  progress: ObjectProgress,
  part: EmbeddedPart,
  context: PipelineContext,
): Promise<void> {
  const { tally } = context;
  tally.invalidBytes += part.invalidBytes;
  for (const document of part.documents) {
    if (document.kind === 'failed') {
      await deadLetter(progress, document, context);
    } else if (document.kind === 'skipped') {
      progress.skipped(document.reason);
      if (document.record !== null) tally.emptyRecords += 1;
    } else if (progress.isNew(document.record)) {
      progress.embedded();
      tally.documents += 1;
      tally.chunks += document.rows.length;
      tally.tokens += document.tokens;
      tally.truncatedTokens += document.truncatedTokens;
      if (document.mapping !== undefined) count(tally.mappings, document.mapping);
      for (const row of document.rows) await writeRow(row, document.record, progress, context);
    } else {
      const reason = `the id ${JSON.stringify(document.record)} stands in this object a second time`;
      await deadLetter(progress, { record: document.record, stage: 'parse', reason }, context);
    }
  }
}

async function writeRow(
  row: Row,
  record: RecordKey,
  progress: ObjectProgress,
  context: PipelineContext,
): Promise<void> {
  const { vectors } = context.tally;
  progress.expectAnswer();
  await context.writer.add(row, (outcome) => {
    vectors.retried += outcome.attempts > 1 ? 1 : 0;
    if (outcome.ok) {
      vectors.written += 1;
    } else {
      vectors.rejected += 1;
      const { reason } = outcome;
      recordFailure(progress, { record, stage: 'write', reason, chunk: row.metadata.chunk }, context);
    }
    progress.answered();
  });
}

// ── dead letters ─────────────────────────────────────────────────────────────────────────────────────

interface Failure {
  readonly record: RecordKey;
  readonly stage: 'read' | 'parse' | 'chunk' | 'embed' | 'write';
  readonly reason: string;
  readonly chunk?: number;
}

async function deadLetter(
  progress: ObjectProgress,
  failure: Failure,
  context: PipelineContext,
): Promise<void> {
  recordFailure(progress, failure, context);
  await context.deadLetters.flushed();
}

function recordFailure(progress: ObjectProgress, failure: Failure, context: PipelineContext): void {
  const { key, version } = progress.object;
  const { record, stage, reason, chunk } = failure;
  const letter = { key, version, record, stage, reason, ...(chunk === undefined ? {} : { chunk }) };
  progress.failed();
  context.tally.deadLetters += 1;
  context.deadLetters.add({ uri: objectUri(context.source.id, key), ...letter });
  context.log.debug('dead letter', letter);
}
