import { EmbatchError } from '../core/errors.js';
import type { EmbeddedDocument, EmbeddedPart } from './bundle.js';
import type { ObjectProgress } from './object-progress.js';
import type { PipelineContext } from './pipeline-context.js';
import type { TrackedPart } from './read-objects.js';
import { deadLetter, recordFailure } from './record-failure.js';
import { count } from './tally.js';

/** Gives the rows of a bundle to the sink, and accounts for what had none. */
export async function writeBundle(
  bundle: readonly TrackedPart[],
  result: readonly EmbeddedPart[],
  context: PipelineContext,
): Promise<void> {
  const { ledger, settlements } = context;
  // Before the first row of an object replaces one of its former version.
  await ledger.begun(Math.max(...bundle.map(({ progress }) => progress.begun)));
  for (const [index, { progress }] of bundle.entries()) {
    const part = result[index];
    if (part === undefined) throw new EmbatchError('BUG', 'a worker left out a part of its bundle');
    await writePart(progress, part, context);
    progress.answered();
  }
  context.failures.check();
  await settlements.removed();
  await ledger.flushed();
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
      await writeRows(document, progress, context);
    } else {
      const reason = `the id ${JSON.stringify(document.record)} stands in this object a second time`;
      await deadLetter(progress, { record: document.record, stage: 'parse', reason }, context);
    }
  }
}

async function writeRows(
  { record, rows }: Extract<EmbeddedDocument, { kind: 'embedded' }>,
  progress: ObjectProgress,
  context: PipelineContext,
): Promise<void> {
  const { tally, failures, writer } = context;
  let open = rows.length;
  let isRefused = false;
  for (const row of rows) {
    const { chunk } = row.metadata;
    progress.expectAnswer();
    await writer.add(row, (outcome) => {
      const { attempts } = outcome;
      tally.vectors.retried += attempts > 1 ? 1 : 0;
      progress.written(record, chunk, outcome.ok);
      if (outcome.ok) {
        tally.vectors.written += 1;
      } else {
        tally.vectors.rejected += 1;
        const failure = { record, stage: 'write', reason: outcome.reason, chunk, attempts } as const;
        recordFailure(progress, failure, context);
        // One document, however many of its chunks are refused.
        if (!isRefused) failures.failed(failure);
        isRefused = true;
      }
      open -= 1;
      if (open === 0 && !isRefused) failures.succeeded();
      progress.answered();
    });
  }
}
