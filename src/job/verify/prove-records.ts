import { EmbatchError } from '../../core/errors.js';
import type { SourceObject } from '../../core/interfaces.js';
import { mapConcurrent } from '../../core/streams.js';
import { formatCount } from '../../core/units.js';
import type { BundlePart, OutlinedPart } from '../bundle.js';
import type { EmbeddingPool } from '../engine.js';
import { IdSet } from './id-set.js';
import type { RowGroup } from './object-rows.js';
import { rereadParts, UnreadableError, type RereadOptions, type Unread } from './reread.js';

/** Why the rows of an object are not known to be all that it gives; undefined where they are. Errors: SOURCE, MODEL. */
export type ProveRecords = (object: SourceObject, group: RowGroup) => Promise<string | undefined>;

export interface ProveOptions extends RereadOptions {
  readonly pool: EmbeddingPool;
  /** `space-text` of this job: objects that were cut in another way cannot be cut again. */
  readonly fingerprint: string;
}

/** Outlines given to the pool per worker. */
const OUTLINES_PER_WORKER = 2;

/**
 * How many records an object has, only the object can say: it is read and cut again, without a model call, and the ids
 * that it would have are compared with those that are there.
 */
export async function proveRecords(
  object: SourceObject,
  group: RowGroup,
  options: ProveOptions,
): Promise<string | undefined> {
  if (group.fingerprint !== options.fingerprint) return 'it was cut with other options than these';
  const ids = new IdSet();
  let failed = 0;
  const { pool } = options;
  const outlined = mapConcurrent(
    rereadParts(object, undefined, options),
    pool.workers * OUTLINES_PER_WORKER,
    (part) => outline(part, pool),
  );
  try {
    for await (const part of outlined) {
      if (part === undefined) {
        failed += 1;
        continue;
      }
      for (const document of part.documents) {
        if (document.kind === 'failed') failed += 1;
        else if (document.kind === 'outlined') for (const id of document.ids) ids.add(id);
      }
    }
  } catch (error) {
    if (error instanceof UnreadableError) return `it cannot be read again: ${error.message}`;
    throw error;
  }
  if (failed > 0) return `${formatCount(failed)} of its records fail`;
  if (ids.equals(group.ids)) return undefined;
  return ids.size === group.ids.size
    ? 'the index has other rows than it gives'
    : `the index has ${formatCount(group.ids.size)} of the ${formatCount(ids.size)} rows that it gives`;
}

/** undefined for what could not be read. */
async function outline(part: BundlePart | Unread, pool: EmbeddingPool): Promise<OutlinedPart | undefined> {
  if (!('part' in part)) return undefined;
  const result = await pool.run({ kind: 'outline', parts: [part] });
  const [outlined] = result.kind === 'outline' ? result.parts : [];
  if (outlined !== undefined) return outlined;
  throw new EmbatchError('BUG', 'a worker answered an outline with something else');
}
