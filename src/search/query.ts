import { EmbatchError } from '../core/errors.js';
import type { Abortable, Hit, IndexInfo, Sink } from '../core/interfaces.js';

export interface QueryEmbedder {
  /** What this embedder's vectors are made by; must be the index's own. */
  readonly index: IndexInfo;
  /** The query prompt is added by the embedder. Gives [dimensions]. */
  embed(question: string): Promise<Float32Array>;
}

/** The index of a sink that can be asked. Errors: USAGE where there is none, or the sink cannot search. */
export async function requireIndex(sink: Sink, options?: Abortable): Promise<IndexInfo> {
  if (sink.search === undefined) {
    throw new EmbatchError(
      'USAGE',
      `${sink.uri} keeps vectors but cannot be searched: give a lancedb: or opensearch:// sink.`,
    );
  }
  const index = await sink.inspect(options);
  if (index !== undefined) return index;
  throw new EmbatchError(
    'USAGE',
    `there is no index at ${sink.uri}: build one with \`embatch run SOURCE --sink …\`.`,
  );
}

/** The `k` chunks nearest to a question, best first; white space alone is no question (USAGE). */
export async function ask(
  sink: Sink,
  question: string,
  k: number,
  embedder: QueryEmbedder,
  options?: Abortable,
): Promise<readonly Hit[]> {
  if (question.trim() === '') throw new EmbatchError('USAGE', 'the question is empty.');
  const vector = await embedder.embed(question);
  return (await sink.search?.(vector, k, options)) ?? [];
}
