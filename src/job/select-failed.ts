import type { ObjectProgress } from './object-progress.js';
import type { PipelineContext } from './pipeline-context.js';
import { planReplay } from './replay.js';
import type { LettersByKey } from './retry-letters.js';
import {
  beginObject,
  CRASHES_BEFORE_ALONE,
  crashesOf,
  reasonToSkip,
  settleUnread,
  skipped,
  skipUnopened,
} from './select-objects.js';
import { workItems } from './work-items.js';

/** What is left out because it never failed: `run` takes it. */
const NOT_TRIED = 'not tried yet';

/**
 * The objects of this shard that `retry` takes: those that failed, at whatever version they are now, and those that a run
 * or another retry was ended with. The rest is passed over.
 */
export async function* selectFailed(
  replays: LettersByKey,
  context: PipelineContext,
): AsyncGenerator<ObjectProgress> {
  const { departed, suspects, tally, text } = context;
  for await (const change of workItems(context)) {
    if (change.kind === 'gone') {
      if (change.entry.status === 'failed') await departed?.note(change.entry);
      continue;
    }
    if (change.kind === 'new') {
      skipped(NOT_TRIED, tally, change.object.range);
      continue;
    }
    const { kind, object, entry } = change;
    if (entry.status !== 'failed' && entry.status !== 'open') {
      if (kind === 'unchanged') settleUnread(entry, context);
      else skipped(NOT_TRIED, tally, object.range);
      continue;
    }
    const skip = reasonToSkip(object);
    if (skip !== undefined && kind === 'unchanged') {
      // Archived since, for instance: what failed stands.
      settleUnread(entry, context);
    } else if (skip !== undefined) {
      skipUnopened(change, skip, context);
    } else if (crashesOf(entry, context) >= CRASHES_BEFORE_ALONE) {
      suspects.push({ object, former: entry });
    } else {
      const letters = await replays.of(object.key);
      yield beginObject(
        object,
        entry,
        context,
        planReplay({ version: object.version, text, range: object.range }, entry, letters),
      );
    }
  }
}
