import type { Heading } from '../core/interfaces.js';

/** The headings of a document by position. Positions are UTF-16 code units, as in {@link Heading}. */
export interface HeadingIndex {
  /** The headings in force at a position, outermost first, joined by ` > `; undefined above the first. */
  pathAt(position: number): string | undefined;
  /** Where the section that holds a position begins: the start of the last heading at or before it, else 0. */
  sectionStart(position: number): number;
}

const SEPARATOR = ' > ';

export function indexHeadings(headings: readonly Heading[]): HeadingIndex {
  const parents = parentsOf(headings);
  const paths = new Map<number, string | undefined>();

  const path = (index: number): string | undefined => {
    const heading = headings[index];
    if (heading === undefined) return undefined;
    if (!paths.has(index)) {
      const own = heading.text.trim().replace(/\s+/g, ' ');
      const names = [path(parents[index] ?? -1), own].filter((name) => name !== undefined && name !== '');
      paths.set(index, names.length === 0 ? undefined : names.join(SEPARATOR));
    }
    return paths.get(index);
  };

  const lastAt = (position: number): number => {
    let low = 0;
    let high = headings.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((headings[middle]?.start ?? Infinity) <= position) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  };

  return {
    pathAt: (position) => path(lastAt(position)),
    sectionStart: (position) => headings[lastAt(position)]?.start ?? 0,
  };
}

/** For each heading the index of the nearest earlier one of a higher rank, or -1. */
function parentsOf(headings: readonly Heading[]): number[] {
  const open: { readonly index: number; readonly level: number }[] = [];
  return headings.map(({ level }, index) => {
    while ((open.at(-1)?.level ?? 0) >= level) open.pop();
    const parent = open.at(-1)?.index ?? -1;
    open.push({ index, level });
    return parent;
  });
}
