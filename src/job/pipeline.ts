import { EmbatchError, describeError, isEmbatchError } from '../core/errors.js';
import { mapConcurrent } from '../core/streams.js';
import { CancelledError, type WorkerPool } from '../embed/pool.js';
import type { BundlePart, EmbeddedPart, Task, TaskResult } from './bundle.js';
import type { ObjectProgress } from './object-progress.js';
import type { PipelineContext, Suspect } from './pipeline-context.js';
import { deadLetter } from './record-failure.js';
import { BUNDLE_BYTES, readObjects, type TrackedPart } from './read-objects.js';
import {
  beginObject,
  CRASHES_ALONE,
  CRASHES_BEFORE_ALONE,
  crashesOf,
  selectObjects,
} from './select-objects.js';
import { selectFailed } from './select-failed.js';
import { writeBundle } from './write-results.js';

/** Bundles given to the pool per worker: one that it works on and one that waits for it. */
const BUNDLES_PER_WORKER = 2;

/**
 * One shard from listing to acknowledged rows: list ► mine? ► changed? ► read ► bundle ► [workers] ► write. Each stage is
 * pulled by the next and the last by the sink, so that nothing piles up anywhere. Returns when every row was
 * answered, also after a stop; before an error is thrown, what was already embedded is written.
 */
export async function runPipeline(context: PipelineContext): Promise<void> {
  const { settlements, suspects, stop } = context;
  const { replays } = context;
  const objects = replays === undefined ? selectObjects(context) : selectFailed(replays, context);
  await embedObjects(objects, context);
  // Last, so that one which ends the process again costs nothing else; alone, so that it is known which one it was.
  for (const suspect of suspects) {
    if (stop.aborted) break;
    await settlements.finish();
    await embedSuspect(suspect, context);
  }
  await settlements.finish();
  if (!stop.aborted) context.tally.vectors.deleted += await context.splits.settle();
  context.failures.checkAtEnd();
}

async function embedSuspect({ object, former }: Suspect, context: PipelineContext): Promise<void> {
  const crashes = crashesOf(former, context);
  const progress = beginObject(object, former, context);
  if (crashes >= CRASHES_BEFORE_ALONE + CRASHES_ALONE) {
    const reason = `${crashes} runs ended without a word while this object was in work, the last ${CRASHES_ALONE} times alone`;
    await deadLetter(progress, { record: null, stage: 'embed', reason }, context);
    progress.answered();
    return;
  }
  context.log.warn(`${object.key} was in work when ${crashes} runs ended without a word: it is tried alone`);
  await context.ledger.begun(progress.begun);
  await embedObjects(only(progress), context);
}

async function* only<T>(item: T): AsyncGenerator<T> {
  yield item;
}

/** Objects from reading to acknowledged rows. */
async function embedObjects(objects: AsyncIterable<ObjectProgress>, context: PipelineContext): Promise<void> {
  const { pool, writer, stop } = context;
  const embed = async (bundle: readonly TrackedPart[]): Promise<EmbeddedBundle> => ({
    bundle,
    result: await embedBundle(bundle, pool),
  });
  try {
    const embedded = mapConcurrent(
      bundles(readObjects(objects, context)),
      pool.workers * BUNDLES_PER_WORKER,
      embed,
    );
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

/** Parts of one or many objects, in order, as much as a worker gets at once. */
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
    // Without what stays in this thread.
    const parts = bundle.map(({ progress: _, ...part }): BundlePart => part);
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
