/**
 * One shard of bench/scaling.mjs in a process of its own: the pipeline of a run with a model stub that answers at once, or
 * sleeps for `sleepMs` a document.
 * Listing, hashing, ledger, bundling, parsing and writing are the program's; bodies come from memory, and rows are
 * kept nowhere. Takes one JSON document as its argument, prints one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { at } from '../scripts/lib/project.mjs';
import { bodyOf } from './scaling-prefix.mjs';
import { createSink } from './null-sink.mjs';

const load = (name) => import(at(`dist/${name}.js`));
const { openSource } = await load('source/open-source');
const { openLedger } = await load('ledger/objects/ledger');
const { createFileState } = await load('ledger/file-state');
const { shardOfRange } = await load('shard/record-ranges');
const { createFailureLimit } = await load('job/failure-limit');
const { runPipeline } = await load('job/pipeline');
const { createRowWriter } = await load('job/row-writer');
const { newRunId } = await load('job/run-id');
const { createSettlements } = await load('job/settle-objects');
const { rangeBytesOf } = await load('job/share');
const { SplitObjects } = await load('job/split-objects');
const { newTally } = await load('job/tally');
const { chunkParts } = await load('job/worker-chunk');
const { embedParts } = await load('job/worker-embed');

const DIMENSIONS = 384;
const WORKERS = 2;
const FINGERPRINT = 'space-text';

const { shard, splitBytes, state, prefix, sleepMs } = JSON.parse(process.argv[2]);
const nothing = () => undefined;
const log = { debug: nothing, info: nothing, warn: console.error, error: console.error };
const never = new AbortController().signal;

/** Every document is one chunk, and every chunk has the same vector. */
const chunker = {
  chunk: ({ text }) =>
    Promise.resolve({ ok: true, chunks: [{ text, tokenIds: [1], start: 0, end: text.length }] }),
};
const embedder = { embed: (inputs) => Promise.resolve(new Float32Array(inputs.length * DIMENSIONS).fill(1)) };
const pool = {
  workers: WORKERS,
  pending: 0,
  cancel: nothing,
  async run({ parts }) {
    const chunked = await chunkParts(parts, { chunker, fields: {} });
    const documents = chunked.reduce((sum, part) => sum + part.documents.length, 0);
    if (sleepMs > 0) await asleep(documents * sleepMs * WORKERS);
    const embedded = await embedParts(chunked, embedder, {
      dimensions: DIMENSIONS,
      fingerprint: FINGERPRINT,
    });
    return { kind: 'bundle', parts: embedded.parts };
  },
};

/** Of each worker: until when it is busy. */
const busyUntil = new Array(WORKERS).fill(0);

/** As long as a worker takes that must end first what it was given before. */
async function asleep(ms) {
  const worker = busyUntil.indexOf(Math.min(...busyUntil));
  busyUntil[worker] = Math.max(performance.now(), busyUntil[worker]) + ms;
  await sleep(Math.max(0, busyUntil[worker] - performance.now()));
}

const started = performance.now();
const bucket = await openSource('s3://bench/docs/', { log, include: [], exclude: [] });
const source = {
  ...bucket,
  open(object, { from = 0 } = {}) {
    const body = Buffer.from(bodyOf(object.key, prefix)).subarray(from);
    return Promise.resolve({ object, contentType: undefined, body: only(body) });
  },
};
async function* only(bytes) {
  yield bytes;
}
const run = newRunId();
const ledger = await openLedger({
  ...{ store: createFileState(state), indexId: 'bench', sinkUri: 'bench:', sourceId: source.id },
  ...{ run, shard, writer: shard, shardOf: shardOfRange, log },
});
const sink = createSink('bench:');
const tally = newTally();
const failed = (letter) => Promise.reject(new Error(`a document failed: ${JSON.stringify(letter)}`));
const departed = { note: failed, add: failed, stays: nothing };
const accounts = { sink, ledger, sourceId: source.id, text: 'text', removing: true, log, signal: never };
await ledger.adopt([]);
await runPipeline({
  ...{ source, sink, pool, shard, departed, ledger, tally, log },
  listing: source.list({ signal: never }),
  writer: createRowWriter(sink),
  rangeBytes: rangeBytesOf(source, splitBytes),
  maxDocumentBytes: 2 ** 24,
  deadLetters: { uri: 'bench:', add: failed, flush: nothing },
  formerLetters: { untouched: nothing },
  replays: undefined,
  failures: createFailureLimit(undefined, 'bench:'),
  settlements: createSettlements({ ...accounts, fingerprint: FINGERPRINT, departed, stop: never, tally }),
  splits: new SplitObjects({ ...accounts, space: 'space' }),
  isAnotherAtWork: false,
  suspects: [],
  text: 'text',
  refreshText: false,
  stop: never,
});
await ledger.roll();
await ledger.close();
await source.close();
const seconds = (performance.now() - started) / 1000;
if (tally.deadLetters > 0) throw new Error(`${tally.deadLetters} dead letters`);
console.log(JSON.stringify({ documents: tally.documents, listed: tally.objects.listed, seconds }));
