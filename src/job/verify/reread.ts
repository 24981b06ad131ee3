import { objectUri } from '../../core/ids.js';
import { recordName } from '../../core/ids.js';
import { isEmbatchError } from '../../core/errors.js';
import type { Abortable, OpenObject, RecordKey, Source, SourceObject } from '../../core/interfaces.js';
import { readParts } from '../../document/read-parts.js';
import type { BundlePart, ObjectFacts } from '../bundle.js';
import { BUNDLE_BYTES } from '../read-objects.js';

export interface RereadOptions extends Abortable {
  readonly source: Source;
  readonly maxDocumentBytes: number;
}

/** What cannot be read again, and so says nothing about the index. */
export class UnreadableError extends Error {
  override readonly name = 'UnreadableError';
}

/** What could not be read of an object that otherwise could be. */
export interface Unread {
  readonly record: RecordKey;
}

/**
 * The parts of an object in the version that is listed, once more. Error: UnreadableError where it changed since, or cannot
 * be read; SOURCE.
 *
 * @param wanted the records that matter; undefined for all. Parts that hold none of them are left out where that can be told
 */
export async function* rereadParts(
  object: SourceObject,
  wanted: readonly RecordKey[] | undefined,
  { source, maxDocumentBytes, signal }: RereadOptions,
): AsyncGenerator<BundlePart | Unread, void, undefined> {
  const open = await openListed(object, source, signal);
  const facts = factsOf(open, source.id);
  const records = wanted?.map(recordName);
  try {
    for await (const outcome of readParts(open, { maxDocumentBytes, partBytes: BUNDLE_BYTES, signal })) {
      if (outcome.kind === 'failed') yield { record: outcome.record };
      if (outcome.kind !== 'part' || !mayHold(outcome.part, wanted)) continue;
      yield { object: facts, part: outcome.part, ...(records === undefined ? {} : { records }) };
    }
  } catch (error) {
    throw asUnreadable(error);
  }
}

async function openListed(
  object: SourceObject,
  source: Source,
  signal: AbortSignal | undefined,
): Promise<OpenObject> {
  let open: OpenObject;
  try {
    open = await source.open(object, { signal });
  } catch (error) {
    throw asUnreadable(error);
  }
  if (open.object.version === object.version) return open;
  await open.body[Symbol.asyncIterator]().return?.();
  throw new UnreadableError('it has changed since it was listed');
}

function asUnreadable(error: unknown): unknown {
  const concernsObject =
    isEmbatchError(error, 'OBJECT_GONE') ||
    isEmbatchError(error, 'OBJECT_DENIED') ||
    isEmbatchError(error, 'OBJECT_UNREADABLE');
  return concernsObject ? new UnreadableError(error.message, { cause: error }) : error;
}

/** A record that is named by its position lies in the part with that byte. */
function mayHold({ offset, bytes }: BundlePart['part'], wanted: readonly RecordKey[] | undefined): boolean {
  return (
    wanted === undefined ||
    wanted.some(
      (record) => typeof record !== 'number' || (record >= offset && record < offset + bytes.length),
    )
  );
}

function factsOf({ object, contentType }: OpenObject, sourceId: string): ObjectFacts {
  const { key, version, lastModified } = object;
  return { uri: objectUri(sourceId, key), key, version, lastModified, contentType };
}
