import type { Abortable } from '../../core/interfaces.js';
import { serialiseRow } from './ndjson.js';
import { refreshIndex } from './open-index.js';
import { getRows } from './read-rows.js';
import { deleteDocuments, type RowStore, type RowStoreContext } from './row-store.js';
import { findStale } from './stale-rows.js';

/** Rows under their own ids: a row replaces what has its id, and what is written shows after a refresh. */
export function createRowsById(context: RowStoreContext): RowStore {
  const { access, writer, index } = context;

  async function settle({ signal }: Abortable): Promise<void> {
    await access.call((cluster) => refreshIndex(cluster, index.name, { signal }), { signal });
  }

  return {
    settle,
    finish: settle,
    write: (rows, options) =>
      writer.write(
        rows.map((row) => serialiseRow(row, index.layout)),
        options,
      ),

    async removeRows(stale, options) {
      // What was acknowledged a moment ago is not found before.
      await settle(options);
      let removed = 0;
      for await (const documents of findStale(access, index, stale, true, options)) {
        removed += await deleteDocuments(context, documents, options);
      }
      return removed;
    },

    get: (ids, options) => getRows(access, index, ids, options),
  };
}
