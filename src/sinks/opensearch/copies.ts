import { marksOf, type StoredHit } from './pages.js';

/** Of each id the newest copy; of two that were written at once, the one that anybody else would choose, too. */
export function newestCopies(copies: readonly StoredHit[]): StoredHit[] {
  const newest = new Map<string, StoredHit>();
  for (const copy of copies) {
    const { id } = marksOf(copy._source);
    const other = newest.get(id);
    if (other === undefined || isNewer(copy, other)) newest.set(id, copy);
  }
  return [...newest.values()];
}

/** The others. */
export function olderCopies(copies: readonly StoredHit[]): StoredHit[] {
  const newest = new Set(newestCopies(copies));
  return copies.filter((copy) => !newest.has(copy));
}

function isNewer(one: StoredHit, other: StoredHit): boolean {
  const [mark = '', otherMark = ''] = [marksOf(one._source).written, marksOf(other._source).written];
  return mark === otherMark ? one._id > other._id : mark > otherMark;
}
