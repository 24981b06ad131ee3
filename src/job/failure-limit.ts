import { EmbatchError, type ErrorCode } from '../core/errors.js';
import type { CountOrPercent } from '../core/option-kinds.js';
import { formatCount } from '../core/units.js';
import type { Failure } from './record-failure.js';

/** Without a limit, a job of which the first so many documents failed, and not one succeeded, is stopped. */
const FIRST_FAILURES = 1000;
/** Documents before which a share says nothing. */
const FEWEST_OF_PERCENT = 100;

const codes: Readonly<Record<Failure['stage'], ErrorCode>> = {
  read: 'SOURCE',
  parse: 'SOURCE',
  chunk: 'SOURCE',
  embed: 'MODEL',
  write: 'SINK',
};

/** Ends a job that only fails. Every document is told of once, when all of it is done, or when it fails first. */
export interface FailureLimit {
  succeeded(): void;
  failed(failure: Pick<Failure, 'stage' | 'reason'>): void;
  /** Throws, from when on more documents have failed than may. Errors: SOURCE, MODEL or SINK, by the stage of the last one. */
  check(): void;
  /** The same at the end, where a share counts in any case. */
  checkAtEnd(): void;
}

/**
 * @param limit `--max-failures`
 * @param lettersUri where the dead letters are, for the message
 */
export function createFailureLimit(limit: CountOrPercent | undefined, lettersUri: string): FailureLimit {
  let succeeded = 0;
  let failed = 0;
  let first = '';
  let passed: EmbatchError | undefined;

  const stop = (stage: Failure['stage'], what: string): EmbatchError =>
    new EmbatchError(
      codes[stage],
      `${what}; the first: ${first.replace(/\.$/, '')}. What was written stays. The dead letters in ${lettersUri} ` +
        'say what failed: mend the cause and run again, or let more fail with --max-failures.',
      { details: { failed, succeeded } },
    );
  const judge = (stage: Failure['stage'], isEnd: boolean): EmbatchError | undefined => {
    const total = failed + succeeded;
    if (limit === undefined) {
      if (succeeded > 0 || failed < FIRST_FAILURES) return undefined;
      return stop(stage, `the first ${formatCount(failed)} documents failed, all of them`);
    }
    if (typeof limit === 'number') {
      if (failed <= limit) return undefined;
      return stop(
        stage,
        `${formatCount(failed)} of ${formatCount(total)} documents failed, more than --max-failures ${limit} allows`,
      );
    }
    if (failed * 100 <= Number.parseFloat(limit) * total || (!isEnd && total < FEWEST_OF_PERCENT))
      return undefined;
    const share = ((failed / total) * 100).toFixed(1);
    return stop(
      stage,
      `${formatCount(failed)} of ${formatCount(total)} documents (${share} %) failed, more than --max-failures ${limit} allows`,
    );
  };
  let lastStage: Failure['stage'] = 'read';

  return {
    succeeded() {
      succeeded += 1;
    },
    failed({ stage, reason }) {
      failed += 1;
      if (failed === 1) first = reason;
      lastStage = stage;
      passed ??= judge(stage, false);
    },
    check() {
      if (passed !== undefined) throw passed;
    },
    checkAtEnd() {
      passed ??= failed === 0 ? undefined : judge(lastStage, true);
      if (passed !== undefined) throw passed;
    },
  };
}
