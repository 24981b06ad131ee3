import { truncateIds } from '../core/truncate-ids.js';
import type { Chunk, Chunker, ChunkOutcome, Document, Tokenizer } from '../core/interfaces.js';
import { formatCount } from '../core/units.js';
import { modelInput, textRoom, wholeFrame } from './frames.js';
import { indexHeadings } from './headings.js';
import { MAX_CHARS_PER_TOKEN, beginning, countEach } from './measure.js';
import { checkOptions } from './options.js';
import type { ChunkerOptions } from './options.js';

import { cutDocument } from './recursive.js';
import { parseTemplate } from './template.js';
import type { Template } from './template.js';
import { codePointCounter, trimRange } from './text.js';

export type { ChunkerOptions } from './options.js';

/** Up to this length (UTF-16 code units of input) a document is tokenised whole first: most that short fit. */
const WHOLE_CHARS_PER_TOKEN = 6;

/**
 * Cuts documents as `options` say. Throws USAGE for options that no document can be cut with; where prompt and
 * template leave no room for text only `chunk` notices, or {@link checkChunker} beforehand.
 */
export function createChunker(options: ChunkerOptions, tokenizer: Tokenizer): Chunker {
  checkOptions(options);
  const template = parseTemplate(options.template);
  let room: Promise<number> | undefined;
  const job: ChunkJob = {
    options,
    template,
    tokenizer,
    room: (chunkTokens) => (room ??= textRoom({ template, prompt: options.prompt, chunkTokens }, tokenizer)),
  };
  return {
    chunk: async (document) => {
      const { start, end } = trimRange(document.text, 0, document.text.length);
      if (start === end) return { ok: true, chunks: [] };
      return options.chunker === 'none' ? chunkWhole(job, document) : cut(job, document, options.chunkTokens);
    },
  };
}

/** Everything that can be wrong with chunk options before there is a document. Throws USAGE. */
export async function checkChunker(options: ChunkerOptions, tokenizer: Tokenizer): Promise<void> {
  checkOptions(options);
  const template = parseTemplate(options.template);
  if (options.chunker === 'none' && options.overflow !== 'split') return;
  const chunkTokens = options.chunker === 'none' ? options.maxTokens : options.chunkTokens;
  await textRoom({ template, prompt: options.prompt, chunkTokens }, tokenizer);
}

interface ChunkJob {
  readonly options: ChunkerOptions;
  readonly template: Template;
  readonly tokenizer: Tokenizer;
  /** Tokens for text in a chunk; counted once. */
  readonly room: (chunkTokens: number) => Promise<number>;
}

async function cut(job: ChunkJob, document: Document, chunkTokens: number): Promise<ChunkOutcome> {
  const { options, template, tokenizer } = job;
  const room = await job.room(chunkTokens);
  const input = wholeInput(job, document);
  // Title and fields are cut only where text and all of them do not fit: that must be tried for longer texts too.
  const charsPerToken = template.names.length > 0 ? MAX_CHARS_PER_TOKEN : WHOLE_CHARS_PER_TOKEN;
  if (input.length <= chunkTokens * charsPerToken) {
    const [ids] = await tokenizer.encode([input]);
    if (ids !== undefined && ids.length <= chunkTokens) return one(document, ids, 0);
  }
  const { prompt, chunkOverlap } = options;
  const limits = { template, prompt, chunkTokens, chunkOverlap, room };
  return { ok: true, chunks: await cutDocument(document, limits, tokenizer) };
}

/** One chunk, or what `overflow` makes of a document that is longer than the model takes. */
async function chunkWhole(job: ChunkJob, document: Document): Promise<ChunkOutcome> {
  const { options, tokenizer } = job;
  const { maxTokens, overflow } = options;
  const input = wholeInput(job, document);
  const [count = 0] = await countEach(tokenizer, [input]);
  const tokens = count + tokenizer.specialTokens;
  if (tokens <= maxTokens) {
    const [ids] = await tokenizer.encode([input]);
    if (ids !== undefined && ids.length <= maxTokens) return one(document, ids, 0);
  }
  if (overflow === 'split') return cut(job, document, maxTokens);
  if (overflow === 'fail') {
    const reason =
      `The document has ${formatCount(tokens)} tokens with prompt and special tokens; the model takes at most ` +
      `${formatCount(maxTokens)}. Shorten it, or choose --overflow split or truncate.`;
    return { ok: false, reason };
  }
  const head = beginning(input, maxTokens * MAX_CHARS_PER_TOKEN);
  const [headIds] = await tokenizer.encode([head]);
  const [ids = new Int32Array()] =
    headIds !== undefined && headIds.length > maxTokens ? [headIds] : await tokenizer.encode([input]);
  const cutTokens = Math.max(tokens, ids.length) - maxTokens;
  return one(document, truncateIds(ids, maxTokens, tokenizer.closingTokens), cutTokens);
}

function wholeInput({ options, template }: ChunkJob, document: Document): string {
  const { start, end } = trimRange(document.text, 0, document.text.length);
  const heading = indexHeadings(document.headings).pathAt(start);
  const frame = wholeFrame(template, options.prompt, document, heading);
  return modelInput(frame, document.text.slice(start, end));
}

/** The document as one chunk. */
function one(document: Document, tokenIds: Int32Array, truncatedTokens: number): ChunkOutcome {
  const { start, end } = trimRange(document.text, 0, document.text.length);
  const count = codePointCounter(document.text);
  const chunk: Chunk = {
    text: document.text.slice(start, end),
    start: count(start),
    end: count(end),
    heading: indexHeadings(document.headings).pathAt(start),
    tokenIds,
    truncatedTokens,
  };
  return { ok: true, chunks: [chunk] };
}
