import { RequestFailure, type ServerError } from './failure.js';
import type { BulkOperation, Line } from './ndjson.js';

/** What the answer of a bulk request is filtered down to, see {@link BULK_FILTER}. */
export interface BulkAnswer {
  /** Each under the name of its operation. */
  readonly items?: readonly Readonly<Partial<Record<BulkOperation, BulkItem>>>[];
}

export interface BulkItem {
  readonly _id?: string;
  readonly status: number;
  readonly error?: ServerError;
}

export const BULK_FILTER = 'took,errors,items.*._id,items.*.status,items.*.error';

/** One item per line, in the order of the lines; anything else cannot be trusted. Error: RequestFailure. */
export function itemsOf(answer: BulkAnswer, lines: readonly Line[]): BulkItem[] {
  const answered = (answer as Partial<BulkAnswer> | null)?.items ?? [];
  const items = lines.flatMap((line, at) => {
    const item = answered[at]?.[line.operation];
    const isIts = item !== undefined && (line.id === undefined || item._id === line.id);
    return isIts ? [item] : [];
  });
  if (items.length === lines.length && answered.length === lines.length) return items;
  throw new RequestFailure(
    'not_a_bulk_answer',
    `a bulk request of ${lines.length} rows brought an answer that does not list them; is a proxy in between?`,
    { status: 200 },
  );
}
