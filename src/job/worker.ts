/**
 * The Piscina worker: parse ► chunk ► tokenise ► embed, all the CPU work of a shard. It composes document,
 * chunk and embed, which do not know each other, and is the only code of ours that runs off the main thread.
 */
import { Piscina, workerData } from 'piscina';
import { checkChunker, createChunker } from '../chunk/chunker.js';
import { EmbatchError, describeError } from '../core/errors.js';
import { chunkId, objectHash } from '../core/ids.js';
import type { Chunk, Document, Metadata, RecordKey, Row } from '../core/interfaces.js';
import { parsePart } from '../document/parse-part.js';
import { createTextEmbedder, type TextEmbedder } from '../embed/compute/text-embedder.js';
import { CancelledError, type WorkerAnswer, type WorkerData } from '../embed/pool.js';
import type {
  BundlePart,
  EmbeddedDocument,
  ObjectFacts,
  Task,
  TaskResult,
  WorkerSettings,
} from './bundle.js';

const { settings, control } = workerData as WorkerData<WorkerSettings>;

// A microtask comes once Node has finished to import this module: a thread that ends in the middle of that aborts.
queueMicrotask(() => {
  Atomics.add(control.loaded, 0, 1);
});

/** Loaded once, by the first task, so that a model that cannot be opened is an answer and not a crash. */
let engine: ReturnType<typeof startEngine> | undefined;

async function startEngine() {
  const embedder = await createTextEmbedder(settings.model, {
    batchTokens: settings.batchTokens,
    tokenizer: settings.tokenizer,
    table: settings.table,
    control,
  });
  await checkChunker(settings.chunker, embedder.tokenizer);
  return { embedder, chunker: createChunker(settings.chunker, embedder.tokenizer) };
}

export default async function work(task: Task): Promise<WorkerAnswer<TaskResult>> {
  try {
    engine ??= startEngine();
    const started = await engine;
    return task.kind === 'bundle' ? await embedBundle(task.parts, started) : await embedTexts(task, started);
  } catch (error) {
    if (error instanceof CancelledError) return { ok: false, code: 'CANCELLED' };
    return {
      ok: false,
      code: error instanceof EmbatchError ? error.code : 'BUG',
      message: describeError(error),
      stack: error instanceof Error ? error.stack : undefined,
    };
  }
}

type Engine = Awaited<ReturnType<typeof startEngine>>;

async function embedTexts(
  task: Extract<Task, { kind: 'texts' }>,
  { embedder }: Engine,
): Promise<WorkerAnswer<TaskResult>> {
  const inputs = await embedder.encode(task.texts, task.side);
  const vectors = await embedder.embed(inputs, task.side);
  return { ok: true, value: { kind: 'texts', inputs, vectors, dimensions: settings.model.dimensions } };
}

interface ChunkedDocument {
  readonly object: ObjectFacts;
  readonly document: Document;
  readonly mapping: string | undefined;
  readonly chunks: readonly Chunk[];
}

/** Chunks of the whole bundle are embedded together: the more there are to sort, the less is padded. */
async function embedBundle(
  parts: readonly BundlePart[],
  { chunker, embedder }: Engine,
): Promise<WorkerAnswer<TaskResult>> {
  const read: { invalidBytes: number; documents: (EmbeddedDocument | ChunkedDocument)[] }[] = [];
  for (const { object, part } of parts) {
    const { outcomes, invalidBytes } = parsePart(part, settings.fields);
    const documents: (EmbeddedDocument | ChunkedDocument)[] = [];
    for (const outcome of outcomes) {
      if (outcome.kind === 'failed') documents.push({ ...outcome, stage: 'parse' });
      else if (outcome.kind === 'skipped') documents.push(outcome);
      else {
        const { document, mapping } = outcome;
        const chunked = await chunker.chunk(document);
        if (!chunked.ok) {
          documents.push({ kind: 'failed', record: document.record, stage: 'chunk', reason: chunked.reason });
        } else if (chunked.chunks.length === 0) {
          documents.push({ kind: 'skipped', record: document.record, reason: 'empty' });
        } else {
          documents.push({ object, document, mapping, chunks: chunked.chunks });
        }
      }
    }
    read.push({ invalidBytes, documents });
  }

  const chunked = read.flatMap(({ documents }) => documents.filter((document) => 'chunks' in document));
  const vectors = await embedChunks(chunked, embedder);
  const value: TaskResult = {
    kind: 'bundle',
    parts: read.map(({ invalidBytes, documents }) => ({
      invalidBytes,
      documents: documents.map((document) => ('chunks' in document ? embedded(document, vectors) : document)),
    })),
  };
  const answer: WorkerAnswer<TaskResult> = { ok: true, value };
  return {
    ...answer,
    [Piscina.transferableSymbol]: [vectors.buffer],
    [Piscina.valueSymbol]: answer,
  };
}

/** Takes the vectors of its documents one after the other, in the order in which they were embedded. */
class VectorCursor {
  readonly buffer: ArrayBuffer;
  readonly #vectors: Float32Array<ArrayBuffer>;
  #next = 0;

  constructor(vectors: Float32Array<ArrayBuffer>) {
    this.#vectors = vectors;
    this.buffer = vectors.buffer;
  }

  take(): Float32Array {
    const { dimensions } = settings.model;
    return this.#vectors.subarray(this.#next, (this.#next += dimensions));
  }
}

async function embedChunks(
  documents: readonly ChunkedDocument[],
  embedder: TextEmbedder,
): Promise<VectorCursor> {
  const inputs = documents.flatMap(({ chunks }) => chunks.map((chunk) => chunk.tokenIds));
  return new VectorCursor(await embedder.embed(inputs, 'document'));
}

function embedded(source: ChunkedDocument, vectors: VectorCursor): EmbeddedDocument {
  const { object, document, mapping, chunks } = source;
  const rows = chunks.map((chunk, ordinal): Row => {
    const id = chunkId(object.uri, document.record, ordinal);
    return {
      id,
      text: chunk.text,
      vector: vectors.take(),
      metadata: metadata(object, document, chunk, ordinal, chunks.length),
      embatch: {
        id,
        object: objectHash(object.uri),
        version: object.version,
        fingerprint: settings.fingerprint,
      },
    };
  });
  const reason = unusableVector(rows);
  if (reason !== undefined) return { kind: 'failed', record: document.record, stage: 'embed', reason };
  return {
    kind: 'embedded',
    record: document.record,
    rows,
    tokens: chunks.reduce((sum, chunk) => sum + chunk.tokenIds.length, 0),
    truncatedTokens: chunks.reduce((sum, chunk) => sum + chunk.truncatedTokens, 0),
    mapping,
  };
}

/** A vector without direction is near to nothing, and stores refuse it or, worse, do not. */
function unusableVector(rows: readonly Row[]): string | undefined {
  const infinite = rows.findIndex((row) => !row.vector.every(Number.isFinite));
  if (infinite >= 0)
    return `the model gave a vector that is not finite for chunk ${infinite} of ${rows.length}`;
  const empty = rows.findIndex((row) => row.vector.every((value) => value === 0));
  if (empty < 0) return undefined;
  return `chunk ${empty} of ${rows.length} has no token that the model knows, so it has no vector`;
}

function metadata(
  object: ObjectFacts,
  document: Document,
  chunk: Chunk,
  ordinal: number,
  count: number,
): Metadata {
  const record = recordLabel(document.record);
  return {
    source: object.uri,
    key: object.key,
    etag: object.version,
    last_modified: object.lastModified,
    ...(object.contentType === undefined ? {} : { content_type: object.contentType }),
    ...(document.title === undefined ? {} : { title: document.title }),
    ...(record === undefined ? {} : { record }),
    chunk: ordinal,
    chunks: count,
    start: chunk.start,
    end: chunk.end,
    ...(chunk.heading === undefined ? {} : { heading: chunk.heading }),
    ...(document.fields === undefined ? {} : { fields: document.fields }),
  };
}

function recordLabel(record: RecordKey): string | number | undefined {
  if (record === null) return undefined;
  return typeof record === 'number' ? record : record.id;
}
