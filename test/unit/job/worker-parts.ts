/** Parts as the main thread gives them to a worker, and what the worker's stages make of them in this thread. */
import { createChunker, type ChunkerOptions } from '#embatch/chunk/chunker.js';
import type { Chunker, FieldMapping } from '#embatch/core/interfaces.js';
import type { TextEmbedder } from '#embatch/embed/compute/text-embedder.js';
import type { BundlePart } from '#embatch/job/bundle.js';
import { writeFailingModel } from '../../support/failing-model.js';
import { openFolder } from '../../support/models.js';

export const noFields: FieldMapping = { textField: undefined, idField: undefined, titleField: undefined };

export function partOf(
  key: string,
  format: string,
  content: string,
  records?: readonly string[],
): BundlePart {
  return {
    object: {
      uri: `s3://bucket/${key}`,
      key,
      version: 'v1',
      lastModified: '2026-01-01T00:00:00.000Z',
      contentType: undefined,
    },
    part: { format, encoding: 'utf-8', bytes: Buffer.from(content), offset: 0 },
    ...(records === undefined ? {} : { records }),
  };
}

/** Lines of JSONL. */
export const lines = (...records: readonly object[]): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join('');

export interface Stages {
  readonly chunker: Chunker;
  readonly embedder: TextEmbedder;
  readonly dimensions: number;
}

/** With the model of test/support/failing-model.ts, which is put into `folder`. */
export async function openFailing(folder: string, options: Partial<ChunkerOptions> = {}): Promise<Stages> {
  const { model, embedder } = await openFolder(await writeFailingModel(folder));
  const chunker = createChunker(
    {
      chunker: 'recursive',
      chunkTokens: model.maxTokens,
      chunkOverlap: 0,
      overflow: 'split',
      maxTokens: model.maxTokens,
      template: '{text}',
      prompt: '',
      ...options,
    },
    embedder.tokenizer,
  );
  return { chunker, embedder, dimensions: model.dimensions };
}
