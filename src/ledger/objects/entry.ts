import { compareUtf8 } from '../../core/bytes-order.js';

/** What the ledger knows of one object: that all that could be done for this version has been done. */
export interface LedgerEntry {
  readonly key: string;
  /** The version that was read. */
  readonly version: string;
  /**
   * `skipped` held nothing to embed. `open` is being written anew: what the index holds of it is unknown until another
   * entry comes, so it counts as changed, whatever version it has.
   */
  readonly status: 'done' | 'skipped' | 'open';
  /** Rows of it in the sink. */
  readonly chunks: number;
  /** Fingerprint of the text half of the recipe that it was cut with. */
  readonly text: string;
  /** Why it was skipped. */
  readonly reason?: string;
}

/** One line of JSON, as an array: a ledger holds millions of them. */
export function formatEntry({ key, version, status, chunks, text, reason }: LedgerEntry): string {
  return JSON.stringify(
    reason === undefined
      ? [key, version, status, chunks, text]
      : [key, version, status, chunks, text, reason],
  );
}

const statuses: readonly unknown[] = ['done', 'skipped', 'open'];

/** undefined for anything that {@link formatEntry} does not write. */
export function parseEntry(line: string): LedgerEntry | undefined {
  let values: unknown;
  try {
    values = JSON.parse(line);
  } catch {
    // Cut off, or not ours: the caller says so.
    return undefined;
  }
  if (!Array.isArray(values)) return undefined;
  const [key, version, status, chunks, text, reason] = values as unknown[];
  if (typeof key !== 'string' || typeof version !== 'string' || typeof text !== 'string') return undefined;
  if (typeof chunks !== 'number' || !statuses.includes(status)) return undefined;
  const entry = { key, version, status: status as LedgerEntry['status'], chunks, text };
  return typeof reason === 'string' ? { ...entry, reason } : entry;
}

export const byKey = (a: { readonly key: string }, b: { readonly key: string }): number =>
  compareUtf8(a.key, b.key);
