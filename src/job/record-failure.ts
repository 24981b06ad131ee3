import type { RecordKey } from '../core/interfaces.js';
import { objectUri } from '../core/ids.js';
import type { ObjectProgress } from './object-progress.js';
import type { PipelineContext } from './pipeline-context.js';

/** What could not be done, of which record and, where one is concerned, which chunk. */
export interface Failure {
  readonly record: RecordKey;
  readonly stage: 'read' | 'parse' | 'chunk' | 'embed' | 'write';
  readonly reason: string;
  readonly chunk?: number;
  /** Of this run; 1 where nothing is said. */
  readonly attempts?: number;
}

/**
 * Records that a document failed, and waits while dead letters pile up. Throws what the failure limit throws when it
 * was one too many.
 */
export async function deadLetter(
  progress: ObjectProgress,
  failure: Failure,
  context: PipelineContext,
): Promise<void> {
  recordFailure(progress, failure, context);
  context.failures.failed(failure);
  await context.deadLetters.flushed();
  context.failures.check();
}

/** The failure as a dead letter, in the tally and with its object; of a document that fails in several chunks, one of them. */
export function recordFailure(progress: ObjectProgress, failure: Failure, context: PipelineContext): void {
  const { key, range } = progress.object;
  const { version } = progress;
  const { record, stage, reason, chunk } = failure;
  const attempts = progress.replay.attempts(record) + (failure.attempts ?? 1);
  const letter = {
    key,
    version,
    record,
    ...(chunk === undefined ? {} : { chunk }),
    stage,
    reason,
    attempts,
    ...(range && { rangeStart: range.start }),
  };
  progress.failed(reason);
  context.tally.deadLetters += 1;
  context.deadLetters.add({ uri: objectUri(context.source.id, key), ...letter });
  context.log.debug('dead letter', letter);
}
