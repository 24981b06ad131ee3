/** Numbers of a compressed list of a Job's status, such as `1,3-5,7`; empty for undefined. */
export function indexesOf(ranges: string | undefined): number[] {
  if (ranges === undefined || ranges === '') return [];
  return ranges.split(',').flatMap((range) => {
    const [from = Number.NaN, to = from] = range.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, offset) => from + offset);
  });
}
