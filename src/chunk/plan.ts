import type { SizedPiece } from './piece.js';

/** What each chunk costs: the unit of all other costs. */
const CHUNK_COST = 1;
/** What a nearly empty chunk costs besides; it falls with the square of how full the chunk is. */
const EMPTINESS_COST = 1.5;
/** What it costs to cut at a boundary while the chunk runs over a better one, per unit of the difference. */
const MIXING_COST = 1;

/**
 * Divides pieces into chunks so that the costs add up to the least possible, as TeX breaks paragraphs into
 * lines (Knuth and Plass, "Breaking Paragraphs into Lines", 1981): few, well-filled chunks, cut at good
 * boundaries. A chunk that would be left over small takes text from its neighbour instead.
 *
 * `limits[i]`: most tokens of a chunk that begins with piece i. A piece longer than that is a chunk of its own.
 * Returns the index of the first piece of each chunk. Time grows with pieces × pieces per chunk.
 */
export function planChunks(pieces: readonly SizedPiece[], limits: readonly number[]): number[] {
  const count = pieces.length;
  const widest = limits.reduce((most, limit) => Math.max(most, limit), 0);
  // Flat arrays: the inner loop runs once for each pair of pieces that may share a chunk.
  const lengths = Float64Array.from(pieces, ({ tokens }) => tokens);
  const penalties = Float64Array.from(pieces, ({ penalty }) => penalty);
  const best = new Float64Array(count + 1);
  const begin = new Int32Array(count + 1);
  for (let end = 1; end <= count; end++) {
    const endPenalty = penalties[end] ?? 0;
    let least = Infinity;
    let tokens = 0;
    let inside = Infinity;
    for (let start = end - 1; start >= 0; start--) {
      const limit = limits[start] ?? 0;
      const penalty = penalties[start] ?? 0;
      const alone = start === end - 1;
      tokens += lengths[start] ?? 0;
      if (tokens > widest && !alone) break;
      if (tokens <= limit || alone) {
        const emptiness = Math.max(0, 1 - tokens / limit);
        const mixing = Math.max(0, Math.max(penalty, endPenalty) - inside);
        const cost =
          (best[start] ?? 0) +
          CHUNK_COST +
          penalty +
          EMPTINESS_COST * emptiness * emptiness +
          MIXING_COST * mixing;
        if (cost < least) {
          least = cost;
          begin[end] = start;
        }
      }
      inside = Math.min(inside, penalty);
    }
    best[end] = least;
  }

  const starts: number[] = [];
  for (let end = count; end > 0; end = begin[end] ?? 0) starts.push(begin[end] ?? 0);
  return starts.reverse();
}
