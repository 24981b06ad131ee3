import { EmbatchError, isEmbatchError } from '../core/errors.js';
import { objectUri, recordName } from '../core/ids.js';
import type { OpenObject, PartOutcome, RecordKey, RecordRange, SourceObject } from '../core/interfaces.js';
import { mapConcurrent } from '../core/streams.js';
import { readParts } from '../document/read-parts.js';
import { canBeginAnywhere, HEAD_BYTES, readRange } from '../document/read-range.js';
import type { BundlePart, ObjectFacts } from './bundle.js';
import type { ObjectProgress } from './object-progress.js';
import type { PipelineContext } from './pipeline-context.js';
import { deadLetter } from './record-failure.js';
import type { Tally } from './tally.js';

/**
 * Bytes of documents sent to a worker together, and of the largest part: enough to sort by length, little enough that
 * the workers end at about the same time and that a stop loses seconds.
 */
export const BUNDLE_BYTES = 64 * 1024;
/** Objects that are read ahead, and the size up to which one is: together the bound on what is held. */
const READ_AHEAD_OBJECTS = 16;
const READ_AHEAD_OBJECT_BYTES = 512 * 1024;

/** A part, and the object that it is one of. */
export interface TrackedPart extends BundlePart {
  readonly progress: ObjectProgress;
}

/** Reads objects, a few ahead, and cuts them into parts that a worker can take. One that fails is accounted for. */
export async function* readObjects(
  objects: AsyncIterable<ObjectProgress>,
  context: PipelineContext,
): AsyncGenerator<TrackedPart> {
  const opened = mapConcurrent(objects, READ_AHEAD_OBJECTS, (object) => openObject(object, context));
  for await (const { progress, open } of opened) {
    if (open === undefined) continue;
    try {
      for await (const outcome of readPartsOf(open, progress.object.range, context)) {
        if (outcome.kind === 'part') {
          progress.expectAnswer();
          const { records } = progress.replay;
          const object = factsOf(open, context.source.id);
          yield { progress, object, part: outcome.part, ...(records === undefined ? {} : { records }) };
        } else if (outcome.kind === 'skipped') {
          progress.skipped(outcome.reason);
        } else if (isWanted(outcome.record, progress)) {
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

/** What has become of other records of the object is known already. */
function isWanted(record: RecordKey, { replay: { records } }: ObjectProgress): boolean {
  return record === null || records === undefined || records.includes(recordName(record));
}

interface OpenProgress {
  readonly progress: ObjectProgress;
  readonly open: OpenObject | undefined;
}

/** Small objects are read whole, several at a time; large ones are read when their turn comes. */
async function openObject(progress: ObjectProgress, context: PipelineContext): Promise<OpenProgress> {
  const { source, tally, stop } = context;
  const { range } = progress.object;
  try {
    if (range !== undefined && range.index > 0 && !(await mayBeRead(progress.object, context))) {
      progress.answered();
      return { progress, open: undefined };
    }
    const from = range === undefined || range.start === 0 ? 0 : range.start - 1;
    const open = await source.open(progress.object, { from, signal: stop });
    if (range !== undefined) await refuseOtherVersion(open, progress.object);
    progress.opened(open.object.version);
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

/** Ranges are cut by the listed size: of another version they would leave out what it has more. */
async function refuseOtherVersion({ object, body }: OpenObject, listed: SourceObject): Promise<void> {
  if (object.version === listed.version) return;
  await body[Symbol.asyncIterator]().return?.();
  throw new EmbatchError(
    'OBJECT_UNREADABLE',
    `${listed.key} has changed since it was listed, and is too large to be read in one go: run again.`,
  );
}

/** Whether an object can be read by ranges; where not, its first range is read to the end, and the others hold nothing. */
async function mayBeRead(object: SourceObject, { source, stop }: PipelineContext): Promise<boolean> {
  const { body } = await source.open(object, { signal: stop });
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of body) {
    pieces.push(piece);
    length += piece.byteLength;
    if (length >= HEAD_BYTES) break;
  }
  return canBeginAnywhere(Buffer.concat(pieces).subarray(0, HEAD_BYTES));
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
    progress.gone();
  } else if (isEmbatchError(error, 'OBJECT_DENIED') || isEmbatchError(error, 'OBJECT_UNREADABLE')) {
    const { unreadable } = context.tally;
    unreadable.count += 1;
    unreadable.firstReason ||= error.message;
    progress.unreadable();
    await deadLetter(progress, { record: null, stage: 'read', reason: error.message }, context);
  } else {
    throw error;
  }
  progress.answered();
}

function readPartsOf(
  open: OpenObject,
  range: RecordRange | undefined,
  { maxDocumentBytes, stop }: PipelineContext,
): AsyncIterable<PartOutcome> {
  const options = { maxDocumentBytes, partBytes: BUNDLE_BYTES, end: range?.end, signal: stop };
  return range === undefined || range.start === 0
    ? readParts(open, options)
    : readRange(open.body, range, options);
}

function factsOf({ object, contentType }: OpenObject, sourceId: string): ObjectFacts {
  const { key, version, lastModified } = object;
  return { uri: objectUri(sourceId, key), key, version, lastModified, contentType };
}
