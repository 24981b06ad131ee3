/**
 * npm run bench:retrieval [-- --collection FOLDER --exact MODEL --model MODEL]
 *
 * Retrieval quality: nDCG@10 of exact search over a collection in BEIR's layout, by trec_eval's rules (linear gain,
 * ties by document id, descending), with a model's fp32 file and with the bundled model. Fails where fp32 is further
 * than 0.001 from the figure that the collection gives for the model, or the other one more than 0.005 below it.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { build } from '../scripts/build.mjs';
import { at } from '../scripts/lib/project.mjs';
import { machineFacts } from './machine.mjs';

const { values } = parseArgs({
  options: {
    collection: { type: 'string', default: at('../shared/data/beir/cranfield') },
    exact: { type: 'string', default: at('../shared/models/all-MiniLM-L6-v2') },
    model: { type: 'string', default: 'all-MiniLM-L6-v2' },
  },
});

const CUT = 10;
const EXACT_TOLERANCE = 0.001;
const MAX_LOSS = 0.005;
/** Texts of one task; a worker sorts them by length. */
const TASK_TEXTS = 64;

const lines = async (file) =>
  (await readFile(file, 'utf8'))
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line));

async function readCollection(folder) {
  const judgements = new Map();
  const [, ...rows] = (await readFile(path.join(folder, 'qrels/test.tsv'), 'utf8')).trim().split('\n');
  for (const row of rows) {
    const [query, document, score] = row.split('\t');
    const judged = judgements.get(query) ?? new Map();
    judgements.set(query, judged.set(document, Number(score)));
  }
  const queries = (await lines(path.join(folder, 'queries.jsonl'))).filter(({ _id }) => judgements.has(_id));
  return { judgements, queries, documents: await lines(path.join(folder, 'corpus.jsonl')) };
}

/** Vectors of the texts, in their order. */
async function embed({ ref, precision }, { documents, queries }) {
  const load = (name) => import(at(`dist/${name}.js`));
  const { resolveOptions } = await load('cli/resolve-options');
  const { resolveEmbedding, resolveModel } = await load('job/embedding');
  const { startPool, embedTexts } = await load('job/engine');
  const flags = { model: ref, precision };
  const { options } = resolveOptions('run', { flags, environment: {}, file: undefined });
  const model = await resolveModel(options, { log: console });
  const pool = await startPool(resolveEmbedding(model, options), { ...options, log: console });
  try {
    const all = async (texts, side) => {
      const tasks = [];
      for (let start = 0; start < texts.length; start += TASK_TEXTS) {
        tasks.push(embedTexts(pool, texts.slice(start, start + TASK_TEXTS), side));
      }
      return (await Promise.all(tasks)).flat().map(({ vector }) => vector);
    };
    return {
      documents: await all(
        documents.map(({ title, text }) => `${title} ${text}`.trim()),
        'document',
      ),
      queries: await all(
        queries.map(({ text }) => text),
        'query',
      ),
    };
  } finally {
    await pool.close();
  }
}

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const discounted = (gains) => gains.reduce((sum, gain, index) => sum + gain / Math.log2(index + 2), 0);

function ndcg({ judgements, queries, documents }, vectors) {
  const scores = queries.map(({ _id }, q) => {
    const judged = judgements.get(_id);
    const ranked = documents
      .map((document, d) => ({ id: document._id, score: dot(vectors.queries[q], vectors.documents[d]) }))
      .sort((a, b) => b.score - a.score || (a.id < b.id ? 1 : -1))
      .slice(0, CUT);
    const ideal = [...judged.values()].filter((score) => score > 0).sort((a, b) => b - a);
    const best = discounted(ideal.slice(0, CUT));
    const gained = discounted(ranked.map(({ id }) => Math.max(0, judged.get(id) ?? 0)));
    return best === 0 ? 0 : gained / best;
  });
  return scores.reduce((sum, score) => sum + score, 0) / scores.length;
}

for (const folder of [values.collection, values.exact]) {
  if (!existsSync(folder))
    throw new Error(`there is nothing at ${folder}: name it with --collection or --exact`);
}
await build();
const collection = await readCollection(values.collection);
const metrics = path.join(values.collection, 'reference/metrics.json');
const wanted = existsSync(metrics) ? JSON.parse(await readFile(metrics, 'utf8')).ndcg_at_10 : undefined;
console.log(await machineFacts());
console.log(`${collection.documents.length} documents, ${collection.queries.length} judged queries`);

const measure = async (name, ref, precision) => {
  const started = performance.now();
  const value = ndcg(collection, await embed({ ref, precision }, collection));
  const seconds = (performance.now() - started) / 1000;
  const row = { model: name, 'nDCG@10': value.toFixed(4), seconds: Number(seconds.toFixed(0)) };
  return { value, row };
};
const exact = await measure('fp32 file', values.exact, 'fp32');
const other = await measure(values.model, values.model, 'auto');
const published = { model: 'figure of the collection', 'nDCG@10': wanted?.toFixed(4) };
console.table([published, exact.row, other.row]);
if (wanted !== undefined && Math.abs(exact.value - wanted) > EXACT_TOLERANCE) {
  throw new Error(`fp32 is ${Math.abs(exact.value - wanted).toFixed(4)} from the figure of the collection`);
}
if (other.value < exact.value - MAX_LOSS) {
  throw new Error(`${values.model} loses ${(exact.value - other.value).toFixed(4)} against fp32`);
}
