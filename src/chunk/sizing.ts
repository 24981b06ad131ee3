import type { Tokenizer } from '../core/interfaces.js';
import { MAX_CHARS_PER_TOKEN } from './measure.js';
import type { Piece, SizedPiece } from './piece.js';
import { splitPiece } from './split.js';
import { isOneCodePoint } from './text.js';

/** What is cut is cut into parts of about this share of a chunk, so that chunks can be filled well. */
const PARTS_PER_CHUNK = 8;
/** White space before a piece that is counted with it: in some vocabularies it is part of a token. */
const GAP_CHARS = 64;

/** Where pieces come from and what they have to fit into. */
export interface SizingContext {
  readonly text: string;
  readonly tokenizer: Tokenizer;
  /** Most tokens of a chunk that begins with this piece. */
  readonly limitOf: (piece: Piece) => number;
}

/**
 * Counts the tokens of consecutive pieces. Those longer than half a chunk are cut, which lets a heading stay
 * with the beginning of what follows it, and again as long as a part is longer than a chunk; only a single
 * code point stays longer. `before` is the end of what stands before the first piece.
 */
export async function sizePieces(
  context: SizingContext,
  pieces: readonly Piece[],
  before: number,
): Promise<SizedPiece[]> {
  const sized = await count(context, pieces, before);
  const halves = await cutLongest(context, sized, before, 0.5);
  return cutUntilAllFit(context, halves, before);
}

/** Cuts one piece in two, or more where that is not enough. */
export async function cutInTwo(context: SizingContext, piece: Piece): Promise<SizedPiece[]> {
  const parts = await count(context, splitPiece(context.text, piece, 2), piece.start);
  return cutUntilAllFit(context, parts, piece.start);
}

async function cutUntilAllFit(
  context: SizingContext,
  pieces: readonly SizedPiece[],
  before: number,
): Promise<SizedPiece[]> {
  for (let current = pieces; ;) {
    const next = await cutLongest(context, current, before, 1);
    if (next.length === current.length) return next;
    current = next;
  }
}

/** Cuts every piece that is longer than this share of a chunk, and counts the parts. */
async function cutLongest(
  context: SizingContext,
  pieces: readonly SizedPiece[],
  before: number,
  share: number,
): Promise<SizedPiece[]> {
  const { text, limitOf } = context;
  const cut = pieces.map((piece) => {
    const limit = limitOf(piece);
    if (piece.tokens <= limit * share || isOneCodePoint(text, piece.start, piece.end)) return [piece];
    const parts = Math.max(2, Math.ceil((piece.tokens * PARTS_PER_CHUNK) / limit));
    return splitPiece(text, piece, Math.min(parts, piece.end - piece.start));
  });
  if (cut.every(({ length }) => length === 1)) return [...pieces];
  const flat = cut.flat();
  const fresh = flat.filter((piece) => !isSized(piece));
  const counts = await tokensOf(context, flat, before, fresh);
  return flat.map((piece) => (isSized(piece) ? piece : { ...piece, tokens: counts.get(piece) ?? 0 }));
}

const isSized = (piece: Piece | SizedPiece): piece is SizedPiece => 'tokens' in piece;

async function count(
  context: SizingContext,
  pieces: readonly Piece[],
  before: number,
): Promise<SizedPiece[]> {
  const counts = await tokensOf(context, pieces, before, pieces);
  return pieces.map((piece) => ({ ...piece, tokens: counts.get(piece) ?? 0 }));
}

/** Tokens of those `pieces` that are `wanted`, each with some of the white space before it. */
async function tokensOf(
  { text, tokenizer }: SizingContext,
  pieces: readonly Piece[],
  before: number,
  wanted: readonly Piece[],
): Promise<Map<Piece, number>> {
  const chosen = new Set(wanted);
  const texts: string[] = [];
  for (const [index, piece] of pieces.entries()) {
    if (!chosen.has(piece)) continue;
    const gapStart = pieces[index - 1]?.end ?? before;
    texts.push(text.slice(Math.max(gapStart, piece.start - GAP_CHARS), piece.end));
  }
  const counts = await tokenizer.count(texts);
  return new Map(
    wanted.map((piece, index) => {
      const chars = piece.end - piece.start;
      return [piece, Math.max(counts[index] ?? 0, Math.ceil(chars / MAX_CHARS_PER_TOKEN))];
    }),
  );
}
