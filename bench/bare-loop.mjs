/**
 * The bare model loop: what the machine can do with this model, batches and threads when nothing else is done.
 * The same inputs as the pipeline makes of the same documents, tokenised beforehand and kept in memory.
 */
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

const BUNDLE_BYTES = 64 * 1024;

/**
 * @param {{ dist: string, folder: string, workers: number, batchTokens: number }} options
 * @returns {Promise<{ seconds: number, tokens: number, documents: number }>} loading and tokenising excluded
 */
export async function bareLoop({ dist, folder, workers, batchTokens }) {
  const { model, bundles, documents } = await tokenised(dist, folder);
  const tokens = bundles.flat().reduce((sum, ids) => sum + ids.length, 0);
  const threads = await Promise.all(
    Array.from({ length: workers }, () => startThread({ dist, model, batchTokens, warmUp: bundles[0] })),
  );
  const started = performance.now();
  let next = 0;
  await Promise.all(
    threads.map(async (thread) => {
      while (next < bundles.length) await thread.embed(bundles[next++]);
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  for (const thread of threads) thread.end();
  return { seconds, tokens, documents };
}

async function tokenised(dist, folder) {
  const { resolveEmbedding, resolveModel } = await import(path.join(dist, 'job/embedding.js'));
  const { resolveOptions } = await import(path.join(dist, 'cli/resolve-options.js'));
  const { createTextEmbedder } = await import(path.join(dist, 'embed/compute/text-embedder.js'));
  const { createChunker } = await import(path.join(dist, 'chunk/chunker.js'));
  const { parsePart } = await import(path.join(dist, 'document/parse-part.js'));
  const { options } = resolveOptions('run', { flags: {}, environment: {}, file: undefined });
  const model = await resolveModel(options, { log: console });
  const { chunker: settings, fields } = resolveEmbedding(model, options);
  const { tokenizer } = await createTextEmbedder(model, options);
  const chunker = createChunker(settings, tokenizer);
  const bundles = [[]];
  let bundleBytes = 0;
  let documents = 0;
  for (const name of (await readdir(folder)).sort()) {
    const bytes = await readFile(path.join(folder, name));
    const { outcomes } = parsePart({ format: 'markdown', encoding: 'utf-8', bytes, offset: 0 }, fields);
    if (bundleBytes > 0 && bundleBytes + bytes.length > BUNDLE_BYTES) {
      bundles.push([]);
      bundleBytes = 0;
    }
    bundleBytes += bytes.length;
    for (const { document } of outcomes) {
      const { chunks } = await chunker.chunk(document);
      bundles.at(-1).push(...chunks.map(({ tokenIds }) => tokenIds));
      documents += 1;
    }
  }
  return { model, bundles, documents };
}

async function startThread(data) {
  const worker = new Worker(new URL(import.meta.url), { workerData: data });
  const answer = () => once(worker, 'message');
  await answer();
  return {
    embed(bundle) {
      const answered = answer();
      worker.postMessage(bundle);
      return answered;
    },
    end: () => worker.postMessage(null),
  };
}

if (!isMainThread) {
  const { dist, model, batchTokens, warmUp } = workerData;
  const { createTextEmbedder } = await import(path.join(dist, 'embed/compute/text-embedder.js'));
  const embedder = await createTextEmbedder(model, { batchTokens });
  await embedder.embed(warmUp.slice(0, 8), 'document');
  parentPort.on('message', async (bundle) => {
    if (bundle === null) {
      parentPort.close();
      return;
    }
    await embedder.embed(bundle, 'document');
    parentPort.postMessage('done');
  });
  parentPort.postMessage('ready');
}
