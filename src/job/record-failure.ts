import type { RecordKey } from '../core/interfaces.js';
import { objectUri } from '../core/ids.js';
import type { ObjectProgress } from './object-progress.js';
import type { PipelineContext } from './pipeline-context.js';

/** What could not be done, of which record and, where rows are concerned, which chunk. */
export interface Failure {
  readonly record: RecordKey;
  readonly stage: 'read' | 'parse' | 'chunk' | 'embed' | 'write';
  readonly reason: string;
  readonly chunk?: number;
}

/** Records the failure, and waits while dead letters pile up. */
export async function deadLetter(
  progress: ObjectProgress,
  failure: Failure,
  context: PipelineContext,
): Promise<void> {
  recordFailure(progress, failure, context);
  await context.deadLetters.flushed();
}

/** The failure as a dead letter, in the tally and with its object. */
export function recordFailure(progress: ObjectProgress, failure: Failure, context: PipelineContext): void {
  const { key } = progress.object;
  const { version } = progress;
  const { record, stage, reason, chunk } = failure;
  const letter = { key, version, record, stage, reason, ...(chunk === undefined ? {} : { chunk }) };
  progress.failed(reason);
  context.tally.deadLetters += 1;
  context.deadLetters.add({ uri: objectUri(context.source.id, key), ...letter });
  context.log.debug('dead letter', letter);
}
