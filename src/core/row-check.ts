import { EmbatchError } from './errors.js';
import type { Row } from './interfaces.js';

/**
 * Why a row cannot be stored, or undefined where it can. Stores take short, long and not-a-number vectors
 * without a word and answer nonsense later, so that is looked at here.
 */
export function refusalOf(row: Row, dimensions: number): string | undefined {
  if (row.vector.length !== dimensions) {
    return `the vector of ${row.id} has ${row.vector.length} numbers, the index holds ${dimensions}`;
  }
  const bad = row.vector.findIndex((value) => !Number.isFinite(value));
  return bad < 0
    ? undefined
    : `the vector of ${row.id} has ${row.vector[bad]} at position ${bad}; only finite numbers can be compared`;
}

/** For calls that come before `inspect` found an index or `prepare` made one. */
export function notPrepared(uri: string): EmbatchError {
  return new EmbatchError('BUG', `${uri} was used before inspect or prepare opened an index in it`);
}
