import type { Abortable, Logger } from '../../core/interfaces.js';
import { formatDuration } from '../../core/units.js';
import type { Access } from './access.js';
import { systemClock, type Clock } from './clock.js';
import type { OpenIndex } from './open-index.js';
import { MAX_HITS, WHOLE_ANSWER, WRITTEN_FIELD, type SearchAnswer } from './pages.js';

/** Where a refresh is not ours to call: knows what was written and deleted, and waits until searches agree. */
export interface Visibility {
  /** `copies` documents bear the mark `written`. */
  added(written: string, copies: number): void;
  /** A document is deleted, which bears this mark. */
  deleted(id: string, written: string): void;
  /** Forgets what shows by now, where there is much of it. */
  tidy(options: Abortable): Promise<void>;
  /** Waits until all of that shows; warns where it takes longer than can be. */
  wait(options: Abortable): Promise<void>;
}

export interface VisibilityOptions {
  readonly access: Access;
  readonly index: OpenIndex;
  readonly uri: string;
  readonly log: Logger;
  readonly pollMs: number;
  readonly waitMs: number;
  readonly clock?: Clock;
}

/** Marks, or ids, of one query: what a terms query takes by default is 65,536. */
const PER_QUERY = 1_000;
/** From so many on, what shows by now is forgotten, so that a long run does not remember all that it did. */
const MANY = 5_000;

export function createVisibility(options: VisibilityOptions): Visibility {
  const { access, index, uri, log, pollMs, waitMs, clock = systemClock } = options;
  /** How many copies of each mark must show, and from when on nobody waits for them. */
  const expected = new Map<string, { copies: number; readonly until: number }>();
  /** Ids of what was deleted, and the same. */
  const gone = new Map<string, number>();
  let many = MANY;

  async function search(body: object, { signal }: Abortable): Promise<SearchAnswer> {
    const request = { method: 'POST', path: [index.name, '_search'], query: WHOLE_ANSWER, body } as const;
    return (await access.call((cluster) => cluster.request(request, { signal }), { signal })) as SearchAnswer;
  }

  async function forgetShown(callOptions: Abortable): Promise<void> {
    for (const marks of groups(expected.keys())) {
      const answer = await search(
        {
          size: 0,
          query: { terms: { [WRITTEN_FIELD]: marks } },
          aggs: { shown: { terms: { field: WRITTEN_FIELD, size: marks.length } } },
        },
        callOptions,
      );
      for (const { key, doc_count: shown } of answer.aggregations?.shown.buckets ?? []) {
        if (shown >= (expected.get(key)?.copies ?? 0)) expected.delete(key);
      }
      // All copies were replaced since.
      for (const mark of marks) if (expected.get(mark)?.copies === 0) expected.delete(mark);
    }
    for (const ids of groups(gone.keys())) {
      const body = { size: MAX_HITS, _source: false, query: { ids: { values: ids } } };
      const still = new Set((await search(body, callOptions)).hits.hits.map(({ _id }) => _id));
      for (const id of ids) if (!still.has(id)) gone.delete(id);
    }
  }

  /** How many of them there were. */
  function forgetOverdue(): number {
    const now = clock.now();
    const before = expected.size + gone.size;
    for (const [mark, { until }] of expected) if (until <= now) expected.delete(mark);
    for (const [id, until] of gone) if (until <= now) gone.delete(id);
    return before - expected.size - gone.size;
  }

  return {
    added(written, copies) {
      if (copies > 0) expected.set(written, { copies, until: clock.now() + waitMs });
    },
    deleted(id, written) {
      gone.set(id, clock.now() + waitMs);
      const own = expected.get(written);
      if (own !== undefined) own.copies--;
    },
    async wait(callOptions) {
      let overdue = 0;
      // What is written from now on is the next call's.
      const lastUntil = clock.now() + waitMs;
      const isWaitedFor = (until: number): boolean => until <= lastUntil;
      for (;;) {
        await forgetShown(callOptions);
        overdue += forgetOverdue();
        const marks = [...expected.values()].map(({ until }) => until);
        if (![...marks, ...gone.values()].some(isWaitedFor)) break;
        await clock.sleep(pollMs, callOptions.signal);
      }
      if (overdue === 0) return;
      // Another writer may have replaced them: that is no loss, and cannot be told from one.
      log.warn(
        `${uri}: after ${formatDuration(waitMs)} not everything that was written shows in a search; ` +
          'verify tells whether anything is missing',
        { overdue },
      );
    },
    async tidy(callOptions) {
      if (expected.size + gone.size < many) return;
      await forgetShown(callOptions);
      many = MANY + expected.size + gone.size;
    },
  };
}

function* groups(items: Iterable<string>): Generator<string[]> {
  const all = [...items];
  for (let start = 0; start < all.length; start += PER_QUERY) yield all.slice(start, start + PER_QUERY);
}
