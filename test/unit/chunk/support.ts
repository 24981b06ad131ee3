import assert from 'node:assert/strict';
import { createChunker, type ChunkerOptions } from '#embatch/chunk/chunker.js';
import type { Chunk, Document, Heading, Tokenizer } from '#embatch/core/interfaces.js';

export const defaults: ChunkerOptions = {
  chunker: 'recursive',
  chunkTokens: 64,
  chunkOverlap: 0,
  overflow: 'split',
  maxTokens: 512,
  template: '{text}',
  prompt: '',
};

export function documentOf(text: string, more: Partial<Document> = {}): Document {
  return { record: null, text, title: undefined, headings: [], fields: undefined, ...more };
}

/** A document of Markdown, its headings being the lines that begin with `#`. */
export function markdown(text: string): Document {
  const headings: Heading[] = [];
  for (const match of text.matchAll(/^(#{1,6}) (.*)$/gm)) {
    headings.push({ start: match.index, level: (match[1] ?? '').length, text: match[2] ?? '' });
  }
  return documentOf(text, { headings });
}

export async function chunksOf(
  document: Document,
  options: Partial<ChunkerOptions>,
  tokenizer: Tokenizer,
): Promise<readonly Chunk[]> {
  const outcome = await createChunker({ ...defaults, ...options }, tokenizer).chunk(document);
  assert.ok(outcome.ok, outcome.ok ? '' : outcome.reason);
  return outcome.chunks;
}

/** The promises of the chunk layer, checked by the plainest means. Templates are checked as `{text}` only. */
export async function assertChunks(
  document: Document,
  chunks: readonly Chunk[],
  options: Pick<ChunkerOptions, 'chunkTokens' | 'chunkOverlap' | 'prompt'>,
  tokenizer: Tokenizer,
): Promise<void> {
  const points = Array.from(document.text);
  const slice = (start: number, end: number): string => points.slice(start, end).join('');
  let [position, positionEnd] = [0, 0];
  let [lastStart, lastEnd] = [-1, 0];
  for (const chunk of chunks) {
    assert.equal(slice(chunk.start, chunk.end), chunk.text, 'offsets give the text');
    assert.ok(chunk.text !== '' && chunk.text === chunk.text.trim(), 'the text is trimmed');
    assert.ok(chunk.start > lastStart && chunk.end > lastEnd, 'chunks go forward');
    position += slice(positionEnd, chunk.start).length;
    positionEnd = chunk.start;
    if (chunk.start >= lastEnd) {
      assert.equal(slice(lastEnd, chunk.start).trim(), '', `nothing is lost before ${chunk.start}`);
    } else {
      const repeated = slice(chunk.start, lastEnd);
      const [tokens = 0] = await tokenizer.count([repeated.trim()]);
      assert.ok(tokens <= options.chunkOverlap, `${tokens} tokens are repeated`);
      const crossed = document.headings.some(
        ({ start }) => start > position && start < position + repeated.length,
      );
      assert.ok(!crossed, `what is repeated from ${chunk.start} on stands under another heading`);
    }
    [lastStart, lastEnd] = [chunk.start, chunk.end];
    assert.ok(chunk.tokenIds.length <= options.chunkTokens, `${chunk.tokenIds.length} tokens`);
    assert.equal(chunk.heading, headingAt(document, position), 'the heading in force');
    assert.equal(chunk.truncatedTokens, 0, 'nothing is cut off');
  }
  assert.equal(slice(lastEnd, points.length).trim(), '', 'nothing is lost at the end');
  const inputs = await tokenizer.encode(chunks.map(({ text }) => options.prompt + text));
  assert.deepEqual(
    chunks.map(({ tokenIds }) => tokenIds),
    inputs,
    'what is embedded is prompt and text',
  );
}

/** The path of headings at a position in UTF-16 code units, found by walking all of them. */
function headingAt({ headings }: Document, position: number): string | undefined {
  const open: Heading[] = [];
  for (const heading of headings) {
    if (heading.start > position) break;
    while (open.length > 0 && (open.at(-1)?.level ?? 0) >= heading.level) open.pop();
    open.push(heading);
  }
  return open.length === 0
    ? undefined
    : open.map((heading) => heading.text.replace(/\s+/g, ' ').trim()).join(' > ');
}
