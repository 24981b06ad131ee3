/**
 * The Piscina worker: parse ► chunk ► tokenise ► embed, all the CPU work of a shard. It composes document,
 * chunk and embed, which do not know each other, and is the only code of ours that runs off the main thread.
 */
import { Piscina, workerData } from 'piscina';
import { checkChunker, createChunker } from '../chunk/chunker.js';
import { EmbatchError, describeError } from '../core/errors.js';
import { createTextEmbedder } from '../embed/compute/text-embedder.js';
import { CancelledError, type WorkerAnswer, type WorkerData } from '../embed/pool.js';
import type { BundlePart, Task, TaskResult, WorkerSettings } from './bundle.js';
import { chunkParts, outlineParts } from './worker-chunk.js';
import { embedParts } from './worker-embed.js';

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
    switch (task.kind) {
      case 'bundle':
        return await embedBundle(task.parts, started);
      case 'outline':
        return await outline(task.parts, started);
      case 'texts':
        return await embedTexts(task, started);
    }
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

async function embedBundle(
  parts: readonly BundlePart[],
  { embedder, chunker }: Engine,
): Promise<WorkerAnswer<TaskResult>> {
  const { model, fields, fingerprint } = settings;
  const chunked = await chunkParts(parts, { chunker, fields });
  const { dimensions } = model;
  const { parts: embedded, buffer } = await embedParts(chunked, embedder, { dimensions, fingerprint });
  const answer: WorkerAnswer<TaskResult> = { ok: true, value: { kind: 'bundle', parts: embedded } };
  return {
    ...answer,
    [Piscina.transferableSymbol]: [buffer],
    [Piscina.valueSymbol]: answer,
  };
}

async function outline(parts: readonly BundlePart[], { chunker }: Engine): Promise<WorkerAnswer<TaskResult>> {
  const chunked = await chunkParts(parts, { chunker, fields: settings.fields });
  return { ok: true, value: { kind: 'outline', parts: outlineParts(chunked) } };
}
