import { EmbatchError } from '../core/errors.js';
import { truncateIds } from '../core/truncate-ids.js';
import type { Chunk, Document, Tokenizer } from '../core/interfaces.js';
import { createFrames, modelInput } from './frames.js';
import type { Frame, FrameLimits, Frames } from './frames.js';
import { indexHeadings } from './headings.js';
import { OVERLAP_CHARS_PER_TOKEN, overlapStarts } from './overlap.js';
import { isSentenceStart } from './piece.js';
import type { Piece, SizedPiece } from './piece.js';
import { cutPieces, joinTiny } from './pieces.js';
import { planChunks } from './plan.js';
import { cutInTwo, sizePieces } from './sizing.js';
import type { SizingContext } from './sizing.js';
import { codePointCounter, isOneCodePoint } from './text.js';

/** Text (UTF-16 code units) that is planned at once: bounds the memory, and what a correction plans again. */
const MIN_BLOCK_CHARS = 65_536;
const BLOCK_CHARS_PER_TOKEN = 32;
/** Smaller pieces are joined. A character is seldom more than a token, so this many fill a chunk. */
const GRAINS_PER_CHUNK = 16;
/** Chunks at the end of a block that are planned again together with the next block. */
const REPLANNED_CHUNKS = 2;

export interface CutLimits extends FrameLimits {
  /** Longest model input. */
  readonly chunkTokens: number;
  /** Most tokens that a chunk repeats from the one before it. */
  readonly chunkOverlap: number;
}

/** Cuts a document into chunks of at most `chunkTokens`; none where the text is nothing but white space. */
export async function cutDocument(
  document: Document,
  limits: CutLimits,
  tokenizer: Tokenizer,
): Promise<Chunk[]> {
  const cutter = new Cutter(document, limits, tokenizer, createFrames(limits, document, tokenizer));
  const blockChars = Math.max(MIN_BLOCK_CHARS, limits.chunkTokens * BLOCK_CHARS_PER_TOKEN);
  let block: Piece[] = [];
  let blockStart = 0;
  const pieces = cutPieces(document.text, document.headings);
  for (const piece of joinTiny(pieces, limits.chunkTokens / GRAINS_PER_CHUNK)) {
    block.push(piece);
    if (piece.end - blockStart < blockChars) continue;
    await cutter.add(block);
    await cutter.finish(REPLANNED_CHUNKS);
    block = [];
    blockStart = piece.end;
  }
  await cutter.add(block);
  await cutter.finish(0);
  return cutter.chunks;
}

/** A chunk as planned. Positions are UTF-16 code units. */
interface PlannedChunk {
  readonly pieces: readonly SizedPiece[];
  /** Where its own text begins, and where it begins with what it repeats. */
  readonly body: number;
  readonly start: number;
  readonly end: number;
}

class Cutter {
  readonly chunks: Chunk[] = [];
  readonly #text: string;
  readonly #limits: CutLimits;
  readonly #tokenizer: Tokenizer;
  readonly #frames: Frames;
  readonly #headings;
  readonly #sizing: SizingContext;
  readonly #countStarts;
  readonly #countEnds;
  /** Pieces that no finished chunk holds. */
  #open: SizedPiece[] = [];
  /** Finished pieces that an overlap may still reach back to. */
  #behind: SizedPiece[] = [];
  /** Where the last finished chunk's own text begins. */
  #lastBody = -1;
  /** Most overlap of the chunk whose own text begins at a position, where it had to be lowered. */
  readonly #lowered = new Map<number, number>();

  constructor(document: Document, limits: CutLimits, tokenizer: Tokenizer, frames: Frames) {
    this.#text = document.text;
    this.#limits = limits;
    this.#tokenizer = tokenizer;
    this.#frames = frames;
    this.#headings = indexHeadings(document.headings);
    this.#sizing = { text: document.text, tokenizer, limitOf: (piece) => this.#bodyLimit(piece) };
    this.#countStarts = codePointCounter(document.text);
    this.#countEnds = codePointCounter(document.text);
  }

  /** Takes the next pieces of the text. */
  async add(block: readonly Piece[]): Promise<void> {
    await this.#frames.load(block.map(({ start }) => this.#headings.pathAt(start)));
    const before = (this.#open.at(-1) ?? this.#behind.at(-1))?.end ?? 0;
    // One by one: spread into a call, a block of tiny pieces would overflow the stack.
    for (const piece of await sizePieces(this.#sizing, block, before)) this.#open.push(piece);
  }

  /**
   * Plans the open pieces and finishes all but the last `keep` chunks. A plan adds up the tokens of pieces,
   * which is not quite what the tokens of a whole chunk are: where a chunk turns out too long the pieces are
   * corrected and planned again, until every chunk fits.
   */
  async finish(keep: number): Promise<void> {
    const encoded = new Map<string, Int32Array>();
    const keyOf = ({ start, end }: PlannedChunk): string => `${start}-${end}`;
    for (;;) {
      const planned = await this.#plan(keep);
      const missing = planned.filter((chunk) => !encoded.has(keyOf(chunk)));
      const inputs = missing.map((chunk) => modelInput(this.#frameOf(chunk), this.#textOf(chunk)));
      const encodings = await this.#tokenizer.encode(inputs);
      missing.forEach((chunk, index) => encoded.set(keyOf(chunk), encodings[index] ?? new Int32Array()));

      let corrected = false;
      for (const chunk of planned) {
        const excess = (encoded.get(keyOf(chunk))?.length ?? 0) - this.#limits.chunkTokens;
        if (excess > 0 && (await this.#correct(chunk, excess))) corrected = true;
      }
      if (corrected) continue;
      for (const chunk of planned) this.#emit(chunk, encoded.get(keyOf(chunk)) ?? new Int32Array());
      this.#close(planned);
      return;
    }
  }

  async #plan(keep: number): Promise<PlannedChunk[]> {
    const pieces = this.#open;
    const limits = pieces.map((piece, index) =>
      index === 0 && this.chunks.length === 0 ? this.#room(piece) : this.#bodyLimit(piece),
    );
    const starts = planChunks(pieces, limits);
    const runs = starts.map((start, index) => pieces.slice(start, starts[index + 1] ?? pieces.length));
    const finished = runs.slice(0, Math.max(0, runs.length - keep));
    const bodies = finished.map((run) => run[0]?.start ?? 0);
    const overlaps = await this.#overlaps(finished, bodies);
    return finished.map((run, index) => ({
      pieces: run,
      body: bodies[index] ?? 0,
      start: overlaps[index] ?? 0,
      end: run.at(-1)?.end ?? 0,
    }));
  }

  /** Where each chunk begins. */
  async #overlaps(
    runs: readonly (readonly SizedPiece[])[],
    bodies: readonly number[],
  ): Promise<readonly number[]> {
    if (this.#limits.chunkOverlap === 0) return bodies;
    const requests = runs.map((run, index) => {
      const body = bodies[index] ?? 0;
      const previous = bodies[index - 1] ?? this.#lastBody;
      const first = run[0];
      const limit = first === undefined || previous < 0 ? 0 : this.#overlapLimit(first);
      // Every chunk begins behind the one before it, and repeats nothing that stands under another heading.
      const floor = Math.max(previous + 1, this.#headings.sectionStart(body));
      return { body, floor, limit: Math.min(limit, this.#lowered.get(body) ?? limit) };
    });
    const sentences = [...this.#behind, ...this.#open].filter(isSentenceStart).map(({ start }) => start);
    return overlapStarts(this.#text, requests, sentences, this.#tokenizer);
  }

  /** Makes the next plan take less text for this chunk; false where it is a single code point. */
  async #correct({ pieces, body, start }: PlannedChunk, excess: number): Promise<boolean> {
    const [first] = pieces;
    if (first === undefined) return false;
    if (start < body) {
      const limit = this.#lowered.get(body) ?? this.#limits.chunkOverlap;
      this.#lowered.set(body, Math.max(0, Math.min(limit - excess, limit >> 1)));
    } else if (pieces.length > 1) {
      first.tokens += excess;
    } else {
      if (isOneCodePoint(this.#text, first.start, first.end)) return false;
      const parts = await cutInTwo(this.#sizing, first);
      this.#open.splice(this.#open.indexOf(first), 1, ...parts);
    }
    return true;
  }

  #emit(chunk: PlannedChunk, ids: Int32Array): void {
    const { chunkTokens } = this.#limits;
    const excess = Math.max(0, ids.length - chunkTokens);
    if (excess > 0 && !isOneCodePoint(this.#text, chunk.start, chunk.end)) {
      throw new EmbatchError('BUG', `A chunk of ${ids.length} tokens was made; the limit is ${chunkTokens}.`);
    }
    this.chunks.push({
      text: this.#textOf(chunk),
      start: this.#countStarts(chunk.start),
      end: this.#countEnds(chunk.end),
      heading: this.#headings.pathAt(chunk.start),
      tokenIds: excess > 0 ? truncateIds(ids, chunkTokens, this.#tokenizer.closingTokens) : ids,
      truncatedTokens: this.#frameOf(chunk).truncatedTokens + excess,
    });
  }

  /** Takes the pieces of finished chunks out of the plan. */
  #close(planned: readonly PlannedChunk[]): void {
    const last = planned.at(-1);
    if (last === undefined) return;
    this.#lastBody = last.body;
    const reach = last.end - this.#limits.chunkOverlap * OVERLAP_CHARS_PER_TOKEN;
    const finished = this.#open.findIndex(({ start }) => start >= last.end);
    const count = finished === -1 ? this.#open.length : finished;
    this.#behind = this.#open.slice(0, count).filter(({ end }) => end >= reach);
    this.#open = this.#open.slice(count);
    this.#lowered.clear();
  }

  #textOf({ start, end }: PlannedChunk): string {
    return this.#text.slice(start, end);
  }

  #frameOf({ start }: { readonly start: number }): Frame {
    return this.#frames.of(this.#headings.pathAt(start));
  }

  /** Tokens that a chunk beginning with this piece has for text, and for text that it does not repeat. */
  #room(piece: Piece): number {
    return Math.max(1, this.#limits.chunkTokens - this.#frameOf(piece).tokens);
  }

  #bodyLimit(piece: Piece): number {
    return this.#room(piece) - this.#overlapLimit(piece);
  }

  #overlapLimit(piece: Piece): number {
    return piece.section ? 0 : Math.min(this.#limits.chunkOverlap, this.#room(piece) >> 1);
  }
}
