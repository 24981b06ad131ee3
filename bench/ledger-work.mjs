/**
 * One step of bench/ledger.mjs in a process of its own, so that its peak of memory is its own:
 * `node bench/ledger-work.mjs fill|compare FOLDER KEYS SHARDS`. Prints one JSON document.
 */
import { createHash } from 'node:crypto';
import { at } from '../scripts/lib/project.mjs';

const load = (name) => import(at(`dist/${name}.js`));
const { openLedger } = await load('ledger/objects/ledger');
const { createFileState } = await load('ledger/file-state');
const { shardOf } = await load('shard/shard-of-key');
const { newRunId } = await load('job/run-id');

/** One in so many objects is new, has changed, or is gone since the ledger was written. */
const NEW_EACH = 200;
const CHANGED_EACH = 100;
const GONE_EACH = 250;
const TEXT = '0123456789abcdef';

const nothing = () => undefined;
const log = { debug: nothing, info: nothing, warn: console.error, error: console.error };
const [step, folder, ...numbers] = process.argv.slice(2);
const [keys, shards] = numbers.map(Number);
const shard = { index: 0, count: shards };

const keyOf = (n) =>
  `documents/2026/archive-${String(n >> 10).padStart(5, '0')}/${String(n).padStart(9, '0')}.md`;
const etagOf = (n, generation) => createHash('md5').update(`${n} ${generation}`).digest('hex');

const open = () =>
  openLedger({
    store: createFileState(folder),
    indexId: 'bench',
    sinkUri: 'bench:',
    sourceId: 's3://bench',
    run: newRunId(),
    shard,
    writer: shard,
    shardOf,
    log,
  });

/** What a run that embedded all objects leaves: its journals, rolled into one snapshot. */
async function fill() {
  const ledger = await open();
  for (let n = 0; n < keys; n++) {
    if (n % NEW_EACH === 1) continue;
    ledger.commit({ key: keyOf(n), version: etagOf(n, 0), status: 'done', chunks: 4, text: TEXT });
    if (n % 1000 === 0) await ledger.flushed();
  }
  await ledger.roll();
  await ledger.close();
}

/** The pages of a listing arrive as fast as they can be taken: what is measured is our own work. */
async function* listing(etags) {
  const lastModified = '2026-01-01T00:00:00.000Z';
  for (let n = 0; n < keys; n++) {
    if (n % GONE_EACH === 2) continue;
    yield { key: keyOf(n), size: 1000, version: etags.toString('hex', n * 16, n * 16 + 16), lastModified };
  }
}

/** What S3 would have said, made beforehand: hashing is no work of ours. */
function listedEtags() {
  const etags = Buffer.alloc(keys * 16);
  for (let n = 0; n < keys; n++) {
    etags.write(etagOf(n, n % CHANGED_EACH === 3 ? 1 : 0), n * 16, 'hex');
  }
  return etags;
}

/** The first stage of a run, over the whole listing; then what its end does to the ledger. */
async function compare() {
  const { selectObjects } = await load('job/select-objects');
  const { newTally } = await load('job/tally');
  const etags = listedEtags();
  const ledger = await open();
  const tally = newTally();
  const stop = new AbortController().signal;
  let gone = 0;
  const departed = { note: () => Promise.resolve(gone++), stays: nothing };
  const formerLetters = { untouched: nothing };
  const work = {
    ledger,
    departed,
    formerLetters,
    suspects: [],
    isAnotherAtWork: false,
    shard,
    tally,
    text: TEXT,
    refreshText: false,
  };
  const context = { listing: listing(etags), ...work, log, stop };
  const compared = await measured(async () => {
    let selected = 0;
    for await (const progress of selectObjects(context)) if (progress) selected++;
    return { selected, gone, unchanged: tally.objects.unchanged };
  });
  const rolled = await measured(async () => {
    await ledger.roll();
    return {};
  });
  await ledger.close();
  const expected = { unchanged: 0, selected: 0, gone: 0 };
  for (let n = 0; n < keys; n++) {
    if (shardOf(keyOf(n), shards) !== 0) continue;
    if (n % GONE_EACH === 2) expected.gone++;
    else expected[n % NEW_EACH === 1 || n % CHANGED_EACH === 3 ? 'selected' : 'unchanged']++;
  }
  for (const [name, count] of Object.entries(expected)) {
    if (compared[name] !== count) throw new Error(`${name}: ${compared[name]} instead of ${count}`);
  }
  return { compared, rolled, etagsMb: etags.length / 2 ** 20 };
}

async function measured(work) {
  const cpu = process.cpuUsage();
  const started = performance.now();
  const result = await work();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { ...result, seconds, cpuSeconds: (user + system) / 1e6 };
}

const result = await { fill, compare }[step]();
/** In KiB on every system that has it. */
const peakMb = process.resourceUsage().maxRSS / 1024;
console.log(JSON.stringify({ ...result, peakMb }));
