import { EmbatchError } from '../../core/errors.js';
import type { Abortable, Row, StaleRows } from '../../core/interfaces.js';
import type { Access } from './access.js';
import type { BulkWriter, LineOutcome } from './bulk-writer.js';
import { serialiseDeletion, type SeenDocument } from './ndjson.js';
import type { OpenIndex } from './open-index.js';

/** How rows get into an index, are found in it and leave it: one way where ids are ours, one where they are not. */
export interface RowStore {
  /** One outcome per row, in order. */
  write(rows: readonly Row[], options: Abortable): Promise<LineOutcome[]>;
  removeRows(stale: readonly StaleRows[], options: Abortable): Promise<number>;
  get(ids: readonly string[], options: Abortable): Promise<Row[]>;
  /** A search from now on sees all that was acknowledged, and nothing that was removed. */
  settle(options: Abortable): Promise<void>;
  /** Whatever is left to do at the end of a run, {@link settle} included. */
  finish(options: Abortable & { readonly lastWriter?: boolean }): Promise<void>;
}

export interface RowStoreContext {
  readonly access: Access;
  readonly writer: BulkWriter;
  readonly index: OpenIndex;
  readonly uri: string;
}

/** 404: another was faster; 409: written again since it was seen, which is for its writer to answer for. */
const passedBy = new Set<number | undefined>([404, 409]);

/** Deletes documents; returns how many were there. SINK: one of them was refused. */
export async function deleteDocuments(
  { writer, uri }: Pick<RowStoreContext, 'writer' | 'uri'>,
  documents: readonly SeenDocument[],
  { signal }: Abortable,
): Promise<number> {
  const outcomes = await writer.write(documents.map(serialiseDeletion), { signal });
  const refused = outcomes.find((outcome) => !outcome.ok && !passedBy.has(outcome.status));
  if (refused?.ok === false) {
    throw new EmbatchError('SINK', `${uri} refused to delete rows that are out of date: ${refused.reason}.`);
  }
  return outcomes.filter(({ ok }) => ok).length;
}
