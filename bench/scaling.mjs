/**
 * npm run bench:scaling [-- --objects 100000] [-- --cost-ms 20] [-- --all-shards]
 *
 * What a job loses when it is shared out over 1 to 16 shards, with a model stub of fixed cost. What a shard does beside its
 * model is measured, one shard after the other; the model's time is added on paper (bench/README.md). Fails where
 * the loss is above the aim.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { build } from '../scripts/build.mjs';
import { at } from '../scripts/lib/project.mjs';
import { startFakeS3 } from './fake-s3.mjs';
import { machineFacts } from './machine.mjs';
import { measureCli } from './measure-cli.mjs';
import { bodyOf, keysOf } from './scaling-prefix.mjs';

const { values } = parseArgs({
  options: {
    objects: { type: 'string', default: '100000' },
    'cost-ms': { type: 'string', default: '20' },
    'all-shards': { type: 'boolean', default: false },
  },
});

const SHARD_COUNTS = [1, 2, 4, 8, 16];
const MOST_SHARDS = 16;
const MAX_LOSS = 0.05;
/** Of a document, in milliseconds: what else the measured shards would lose with. */
const OTHER_COSTS = [5, 10, 100];
/** About what S3 takes for a page within its region. */
const LIST_DELAY_MS = 30;
/** The large file has as many records as so many shards of the small objects. */
const LARGE_SHARES = 20;
const OBJECTS_BESIDE_LARGE = 10_000;
const NOT_SPLIT = 2 ** 40;
const STARTS = 3;

const costMs = Number(values['cost-ms']);
const misses = [];
const folder = await mkdtemp(path.join(os.tmpdir(), 'embatch-bench-'));
const execute = promisify(execFile);
const percent = (share) => `${(share * 100).toFixed(1)} %`;

/** Start and end of a whole run that has one object to do: the bundled model is loaded and tried. The median. */
async function startSeconds() {
  const prefix = { objects: 1, largeRecords: 0 };
  const server = await startFakeS3({ keys: keysOf(prefix), bodyOf: (key) => bodyOf(key, prefix) });
  const seconds = [];
  for (let n = 0; n < STARTS; n++) {
    const args = ['run', 's3://bench/docs/', '--sink', at('bench/null-sink.mjs'), '--log-level', 'error'];
    const state = ['--state', path.join(folder, `start-${n}`)];
    seconds.push(
      (await measureCli({ cli: at('dist/cli/main.js'), args: [...args, ...state], env: server.environment }))
        .seconds,
    );
  }
  await server.close();
  return seconds.sort((a, b) => a - b)[Math.floor(STARTS / 2)];
}

/** Documents of a shard, and the seconds of all that it does but its model. */
async function runShard({ index, count, prefix, server, start, splitBytes = NOT_SPLIT, sleepMs = 0 }) {
  const state = path.join(folder, 'state');
  await rm(state, { recursive: true, force: true });
  const job = JSON.stringify({ shard: { index, count }, prefix, splitBytes, state, sleepMs });
  const { stdout } = await execute(process.execPath, [at('bench/scaling-work.mjs'), job], {
    env: { ...process.env, ...server.environment },
  });
  const { documents, seconds, listed } = JSON.parse(stdout);
  if (listed !== keysOf(prefix).length) throw new Error(`shard ${index} of ${count} listed ${listed} keys`);
  return { documents, overhead: start + seconds };
}

const timeOf = ({ documents, overhead }, cost = costMs) => overhead + (documents * cost) / 1000;
const slowestOf = (shards) =>
  shards.reduce((worst, shard) => (timeOf(shard) > timeOf(worst) ? shard : worst));

/** Against a fair share of what one shard takes. What is not uneven shares is work that every shard does anew. */
function lossOf(count, shard, single, cost = costMs) {
  const ideal = timeOf(single, cost) / count;
  const slowest = timeOf(shard, cost);
  const imbalance = ((shard.documents - single.documents / count) * cost) / 1000 / slowest;
  const loss = 1 - ideal / slowest;
  return { ideal, slowest, loss, imbalance, overhead: loss - imbalance };
}

function row(count, shard, single) {
  const { ideal, slowest, loss, imbalance, overhead } = lossOf(count, shard, single);
  return {
    'documents of the slowest': shard.documents,
    'beside its model, s': shard.overhead.toFixed(1),
    'in all, s': slowest.toFixed(1),
    'ideal, s': ideal.toFixed(1),
    loss: percent(loss),
    'by imbalance': percent(imbalance),
    'by overhead': percent(overhead),
  };
}

/** Objects that are all alike: the slowest shard is that with most of them, unless all are run. */
async function evenObjects(start, shardOf) {
  const prefix = { objects: Number(values.objects), largeRecords: 0 };
  const keys = keysOf(prefix);
  const server = await startFakeS3({
    keys,
    bodyOf: (key) => bodyOf(key, prefix),
    listDelayMs: LIST_DELAY_MS,
  });
  const rows = [];
  let single;
  let last;
  for (const count of SHARD_COUNTS) {
    const indices = values['all-shards']
      ? Array.from({ length: count }, (_, index) => index)
      : [largestOf(keys, count, shardOf)];
    const shards = [];
    for (const index of indices) {
      shards.push(await runShard({ index, count, prefix, server, start }));
    }
    last = slowestOf(shards);
    single ??= last;
    rows.push({ shards: count, ...row(count, last, single) });
  }
  if (single.documents !== keys.length)
    throw new Error(`${single.documents} documents of ${keys.length} objects`);
  console.log(
    `\n${keys.length} objects, ${costMs} ms a document, ${LIST_DELAY_MS} ms a page of the listing:`,
  );
  console.table(rows);
  const others = OTHER_COSTS.map(
    (cost) => `${cost} ms: ${percent(lossOf(MOST_SHARDS, last, single, cost).loss)}`,
  );
  console.log(`the loss of ${MOST_SHARDS} shards where a document costs ${others.join(', ')}`);
  await overlapping({ prefix, server, start, largest: largestOf(keys, MOST_SHARDS, shardOf) });
  await server.close();
}

function largestOf(keys, count, shardOf) {
  const documents = new Array(count).fill(0);
  for (const key of keys) documents[shardOf(key, count)] += 1;
  return documents.indexOf(Math.max(...documents));
}

/**
 * The largest of 16 shards as it goes: the stub sleeps for its time, and the rest is done meanwhile. Compared with what one
 * shard would take if it did nothing but start and embed.
 */
async function overlapping({ prefix, server, start, largest }) {
  const count = MOST_SHARDS;
  const { documents, overhead } = await runShard({
    ...{ index: largest, count, prefix, server, start },
    sleepMs: costMs,
  });
  const ideal = (start + (prefix.objects * costMs) / 1000) / count;
  const loss = 1 - ideal / overhead;
  const imbalance = ((documents - prefix.objects / count) * costMs) / 1000 / overhead;
  console.log(
    `with a stub that sleeps, the slowest of ${count} shards takes ${overhead.toFixed(1)} s, ideal ${ideal.toFixed(1)} s: ` +
      `${percent(loss)} lost, ${percent(imbalance)} by imbalance, ${percent(loss - imbalance)} by overhead`,
  );
  if (loss >= MAX_LOSS) misses.push(`${count} shards lose ${percent(loss)}`);
}

/** One JSONL beside small objects: whole, and shared out by ranges. All shards are run. */
async function oneLargeObject(start) {
  const count = MOST_SHARDS;
  const largeRecords = Math.round((OBJECTS_BESIDE_LARGE / count) * LARGE_SHARES);
  const prefix = { objects: OBJECTS_BESIDE_LARGE, largeRecords };
  const keys = keysOf(prefix);
  const bytes = Buffer.byteLength(bodyOf(keys.at(-1), prefix));
  const server = await startFakeS3({
    keys,
    bodyOf: (key) => bodyOf(key, prefix),
    listDelayMs: LIST_DELAY_MS,
  });
  const single = await runShard({ index: 0, count: 1, prefix, server, start });
  const rows = [];
  for (const parts of [undefined, 4]) {
    const splitBytes = parts === undefined ? NOT_SPLIT : Math.ceil(bytes / (count * parts));
    const shards = [];
    for (let index = 0; index < count; index++) {
      shards.push(await runShard({ index, count, prefix, server, start, splitBytes }));
    }
    const documents = shards.reduce((sum, shard) => sum + shard.documents, 0);
    if (documents !== single.documents)
      throw new Error(`${documents} documents in ${parts} parts, not ${single.documents}`);
    const title =
      parts === undefined ? 'whole' : `${parts * count} ranges of ${Math.round(splitBytes / 1024)} KiB`;
    rows.push({ 'large object': title, ...row(count, slowestOf(shards), single) });
  }
  await server.close();
  console.log(
    `\n${OBJECTS_BESIDE_LARGE} objects and a JSONL of ${largeRecords} records, ${(bytes / 1e6).toFixed(1)} MB, ${count} shards:`,
  );
  console.table(rows);
}

await build();
try {
  console.log(`\n${await machineFacts()}\n`);
  const { shardOf } = await import(at('dist/shard/shard-of-key.js'));
  const start = await startSeconds();
  console.log(`a run of one object takes ${start.toFixed(1)} s from start to end, bundled model and all`);
  await evenObjects(start, shardOf);
  await oneLargeObject(start);
} finally {
  await rm(folder, { recursive: true, force: true });
}
for (const miss of misses) console.error(`MISSED: ${miss}`);
if (misses.length > 0) process.exitCode = 1;
