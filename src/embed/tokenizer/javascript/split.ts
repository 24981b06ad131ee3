import type { Find } from './pattern.js';

export const splitBehaviors = [
  'Removed',
  'Isolated',
  'MergedWithPrevious',
  'MergedWithNext',
  'Contiguous',
] as const;

/** What becomes of what a pattern matches, in the words of tokenizer.json. */
export type SplitBehavior = (typeof splitBehaviors)[number];

interface Stretch {
  readonly text: string;
  readonly isMatch: boolean;
}

/** Cuts a text at what is found in it; `invert` takes what lies between them for the matches. */
export function split(text: string, find: Find, behavior: SplitBehavior, invert = false): string[] {
  const stretches: Stretch[] = [];
  let end = 0;
  for (const match of find(text)) {
    const next = match.index + match[0].length;
    if (match.index > end) stretches.push({ text: text.slice(end, match.index), isMatch: invert });
    if (next > match.index) stretches.push({ text: text.slice(match.index, next), isMatch: !invert });
    end = next;
  }
  if (end < text.length) stretches.push({ text: text.slice(end), isMatch: invert });
  return merge(stretches, behavior);
}

function merge(stretches: readonly Stretch[], behavior: SplitBehavior): string[] {
  switch (behavior) {
    case 'Removed':
      return stretches.filter(({ isMatch }) => !isMatch).map(({ text }) => text);
    case 'Isolated':
      return stretches.map(({ text }) => text);
    case 'Contiguous':
      return joinNeighbours(stretches, (left, right) => left.isMatch === right.isMatch);
    // A match joins one neighbour that is none: of several matches in a row all but one stay alone.
    case 'MergedWithPrevious':
      return joinNeighbours(stretches, (left, right) => right.isMatch && !left.isMatch);
    case 'MergedWithNext':
      return joinNeighbours(stretches, (left, right) => left.isMatch && !right.isMatch);
  }
}

function joinNeighbours(
  stretches: readonly Stretch[],
  joins: (left: Stretch, right: Stretch) => boolean,
): string[] {
  const pieces: string[] = [];
  stretches.forEach((stretch, index) => {
    const previous = stretches[index - 1];
    const joined = previous !== undefined && joins(previous, stretch) ? pieces.pop() : undefined;
    pieces.push((joined ?? '') + stretch.text);
  });
  return pieces;
}
