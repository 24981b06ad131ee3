import { randomBytes } from 'node:crypto';
import type { Abortable, Logger } from '../../core/interfaces.js';
import { systemClock, type Clock } from './clock.js';
import { olderCopies } from './copies.js';
import { serialiseCopy, type SeenDocument } from './ndjson.js';
import { ID_FIELD, MAX_HITS, WRITTEN_FIELD, livePages, marksOf, type StoredHit } from './pages.js';
import { findRows } from './read-rows.js';
import { deleteDocuments, type RowStore, type RowStoreContext } from './row-store.js';
import { findStale } from './stale-rows.js';
import { moveSweepMark, readSweepMark } from './sweep-mark.js';
import type { Visibility } from './visibility.js';

export interface RowsByFieldContext extends RowStoreContext {
  readonly visibility: Visibility;
  readonly log: Logger;
  /** After this time, in ms, whatever was written shows. */
  readonly shownWithinMs: number;
  readonly clock?: Clock;
}

/** Clocks of two writers may differ by so much, in ms. */
const CLOCK_SKEW_MS = 300_000;
/** Ids of one query; each may have some copies. */
const IDS_PER_QUERY = 1_000;

/**
 * For services that choose `_id` themselves (vector collections of OpenSearch Serverless). A row is added as a new
 * copy, then its older copies are deleted: at no time is there none. What no search showed yet, because it was
 * written a moment ago or twice by a repeated request, is found by {@link RowStore.finish}, which keeps the newest
 * copy of each id.
 */
export function createRowsByField(context: RowsByFieldContext): RowStore {
  const { access, writer, index, visibility, log, shownWithinMs, clock = systemClock } = context;
  const openedAt = Date.now();
  let writes = 0;
  /**
   * What nobody here waits for shows by then: what a predecessor wrote just before it was killed, and copies that a
   * request without an answer left.
   */
  let allShownAt = clock.now() + shownWithinMs;
  const random = randomBytes(6).toString('hex');

  /** Ascends with time; of one `write` alone. */
  const nextMark = (): string => `${markOf(Date.now())}-${String(writes++).padStart(9, '0')}-${random}`;

  async function deleteCopies(copies: readonly StoredHit[], options: Abortable): Promise<number> {
    const documents = copies.map(({ _id: id }): SeenDocument => ({ id, state: undefined }));
    const removed = await deleteDocuments(context, documents, options);
    for (const { _id, _source } of copies) visibility.deleted(_id, marksOf(_source).written ?? '');
    return removed;
  }

  /** Every copy of these ids that a search shows. */
  async function copiesOf(ids: readonly string[], more: object[], options: Abortable): Promise<StoredHit[]> {
    const copies: StoredHit[] = [];
    for (let start = 0; start < ids.length; start += IDS_PER_QUERY) {
      const filter = [{ terms: { [ID_FIELD]: ids.slice(start, start + IDS_PER_QUERY) } }, ...more];
      const query = { query: { bool: { filter } }, size: MAX_HITS, _source: MARKS };
      for await (const hits of livePages(access, index, query, options)) copies.push(...hits);
    }
    return copies;
  }

  /** Leaves the newest copy of each id that was written since `from`. */
  async function sweep(from: string, options: Abortable): Promise<void> {
    const query = {
      query: { range: { [WRITTEN_FIELD]: { gte: from } } },
      size: IDS_PER_QUERY,
      _source: MARKS,
    };
    let removed = 0;
    for await (const hits of livePages(access, index, query, options)) {
      const ids = [...new Set(hits.map(({ _source }) => marksOf(_source).id))];
      removed += await deleteCopies(olderCopies(await copiesOf(ids, [], options)), options);
    }
    if (removed > 0) log.info(`${removed} copies of rows were removed that repeated requests had left`);
  }

  async function settle(options: Abortable): Promise<void> {
    await visibility.wait(options);
    await clock.sleep(Math.max(0, allShownAt - clock.now()), options.signal);
  }

  return {
    settle,

    async write(rows, options) {
      const mark = nextMark();
      const outcomes = await writer.write(
        rows.map((row) => serialiseCopy(row, index.layout, mark)),
        options,
      );
      const written = rows.filter((_, at) => outcomes[at]?.ok === true).map(({ id }) => id);
      visibility.added(mark, written.length);
      if (outcomes.some((outcome) => outcome.ok && outcome.unclear)) allShownAt = clock.now() + shownWithinMs;
      const older = [{ range: { [WRITTEN_FIELD]: { lt: mark } } }];
      await deleteCopies(await copiesOf(written, older, options), options);
      await visibility.tidy(options);
      return outcomes;
    },

    async removeRows(stale, options) {
      await settle(options);
      let removed = 0;
      for await (const documents of findStale(access, index, stale, false, options)) {
        removed += await deleteDocuments(context, documents, options);
        for (const { id } of documents) visibility.deleted(id, '');
      }
      return removed;
    },

    async get(ids, options) {
      await settle(options);
      return findRows(access, index, ids, options);
    },

    async finish({ signal, lastWriter = false }) {
      await settle({ signal });
      const before = markOf(Date.now() - CLOCK_SKEW_MS);
      // What a killed run left may be of rows that this run did not write again.
      const from = lastWriter
        ? await readSweepMark(access, index, { signal })
        : markOf(openedAt - CLOCK_SKEW_MS);
      await sweep(from ?? '', { signal });
      await visibility.wait({ signal });
      if (lastWriter) await moveSweepMark(access, index, before, log, { signal });
    },
  };
}

const MARKS = ['embatch'];

/** Of a time, in ms since 1970: compares as text. */
function markOf(time: number): string {
  return String(Math.max(0, time)).padStart(15, '0');
}
