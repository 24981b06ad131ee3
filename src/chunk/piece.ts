/**
 * The smallest range that is not cut further. Pieces tile a text but for the white space between them; a
 * chunk is a run of them. Positions are UTF-16 code units, `end` exclusive, white space trimmed.
 */
export interface Piece {
  readonly start: number;
  readonly end: number;
  /** What it costs to begin a chunk here: see {@link penalties}. */
  readonly penalty: number;
  /** A heading of the document begins here. */
  readonly section: boolean;
}

/** A piece with its length. */
export interface SizedPiece extends Piece {
  /** Tokens that it adds to a chunk; corrected where a whole chunk turned out longer than its pieces. */
  tokens: number;
}

/**
 * What a cut costs, by the kind of boundary, in units of one more chunk (see plan.ts). Paragraphs stay whole
 * while the chunks are more than about half full, sentences and words practically always.
 */
export const penalties = {
  /** Before a heading of level 1, and how much more each deeper level costs. */
  heading: 0,
  headingLevel: 0.1,
  paragraph: 1,
  sentence: 2,
  /** A line break within a sentence. */
  line: 2.6,
  word: 5,
  /** Between words that no white space separates. */
  innerWord: 6.5,
  /** Between a heading and what it heads. */
  afterHeading: 7,
  character: 8,
} as const;

/** Whether a sentence, line or paragraph begins with this piece, rather than a part of one. */
export function isSentenceStart({ penalty }: Piece): boolean {
  return penalty <= penalties.line || (penalty >= penalties.afterHeading && penalty < penalties.character);
}
