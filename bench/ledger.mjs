/**
 * npm run bench:ledger [-- --keys 1000000] [-- --mb 1]
 *
 * What the ledger costs: comparing a listing with it; the requests of a run over an unchanged prefix; its part of a
 * run that embeds everything. Fails where one of the aims is missed.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { build } from '../scripts/build.mjs';
import { at } from '../scripts/lib/project.mjs';
import { startServices } from '../scripts/services/index.mjs';
import { writeCorpus } from './corpus.mjs';
import { startCountingProxy } from './counting-proxy.mjs';
import { profileShare } from './profile-share.mjs';
import { machineFacts } from './machine.mjs';

const { values } = parseArgs({
  options: { keys: { type: 'string', default: '1000000' }, mb: { type: 'string', default: '1' } },
});

const MAX_PEAK_MB = 300;
const MIN_KEYS_PER_SECOND = 50_000;
const MAX_SHARE_OF_RUN = 0.02;
/** Of one page of a listing, as S3 gives it. */
const PAGE_KEYS = 1000;
const UNCHANGED_KEYS = 2500;

const cli = at('dist/cli/main.js');
const execute = promisify(execFile);
const misses = [];
const aim = (met, what) => {
  if (!met) misses.push(what);
};

async function node(args, environment = {}) {
  const { stdout } = await execute(process.execPath, args, {
    env: { ...process.env, ...environment },
    maxBuffer: 2 ** 26,
  });
  return JSON.parse(stdout);
}

/** One shard's keys, and one of four: whose share is small, and which must look at every key none the less. */
async function compareListing(folder) {
  const keys = Number(values.keys);
  const work = (step, where, shards) =>
    node([at('bench/ledger-work.mjs'), step, where, String(keys), String(shards)]);
  const filled = path.join(folder, 'filled');
  const { peakMb: fillMb } = await work('fill', filled, 1);
  const rows = [];
  for (const shards of [1, 4]) {
    const copy = path.join(folder, `of-${shards}`);
    await cp(filled, copy, { recursive: true });
    const { compared, rolled, peakMb } = await work('compare', copy, shards);
    // Of our own work: what else the machine does at the time does not count.
    const rate = keys / compared.cpuSeconds;
    rows.push({
      keys,
      shards,
      unchanged: compared.unchanged,
      'new or changed': compared.selected,
      'keys/s': Math.round(keys / compared.seconds),
      'keys per CPU second': Math.round(rate),
      'roll-up s': rolled.seconds.toFixed(1),
      'peak MB': Math.round(peakMb),
    });
    aim(peakMb < MAX_PEAK_MB, `${shards} shards: a peak of ${Math.round(peakMb)} MB`);
    aim(rate >= MIN_KEYS_PER_SECOND, `${shards} shards: ${Math.round(rate)} keys per CPU second`);
  }
  console.log('a listing compared with a ledger on a folder:');
  console.table(rows);
  console.log(`journals of as many objects committed and rolled up, at a peak of ${Math.round(fillMb)} MB\n`);
}

async function newBucket(name, objects) {
  const { S3Client, CreateBucketCommand, PutObjectCommand } = await import('@aws-sdk/client-s3');
  const client = new S3Client({ forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: name }));
  const waiting = [...objects];
  const put = async () => {
    for (let object = waiting.pop(); object !== undefined; object = waiting.pop()) {
      await client.send(new PutObjectCommand({ Bucket: name, Key: object.key, Body: await object.body() }));
    }
  };
  await Promise.all(Array.from({ length: 8 }, put));
  client.destroy();
}

/** What a request is for, by the method and the path that it has in S3's path style. */
function purpose(bucket, { method, path: url }) {
  const { pathname, searchParams } = new URL(url, 'http://s3');
  const key = decodeURIComponent(pathname).slice(bucket.length + 2);
  const prefix = searchParams.get('prefix') ?? '';
  if (key === '') return prefix.startsWith('state') ? 'lists of the state' : 'pages of the source';
  if (!key.startsWith('state/')) return 'reads of objects';
  const verb = method === 'GET' ? 'reads' : 'writes';
  return key.startsWith('state/ledger/') ? `${verb} of the ledger` : `${verb} of start, heartbeat, summary`;
}

/** The second run over a prefix in which nothing changed. */
async function countRequests(folder, proxy) {
  const bucket = `bench-${process.pid}-unchanged`;
  const name = (n) => `docs/${String(n).padStart(6, '0')}.txt`;
  const keys = Array.from({ length: UNCHANGED_KEYS }, (_, n) => ({
    key: name(n),
    body: () => `A short text, number ${n}.`,
  }));
  await newBucket(bucket, keys);
  const args = ['run', `s3://${bucket}/docs/`, '--sink', `lancedb:${path.join(folder, 'unchanged')}`];
  const flags = ['--state', `s3://${bucket}/state`, '--model', at('test/data/models/tiny-bert'), '--json'];
  const run = () => node([cli, ...args, ...flags, '--no-progress'], { AWS_ENDPOINT_URL_S3: proxy.url });
  const table = [];
  for (const title of ['first', 'second']) {
    proxy.take();
    const { objects, seconds } = await run();
    const counts = {};
    for (const request of proxy.take()) {
      const what = purpose(bucket, request);
      counts[what] = (counts[what] ?? 0) + 1;
    }
    table.push({ run: title, embedded: objects.embedded, unchanged: objects.unchanged, seconds, ...counts });
  }
  console.log('requests to S3, source and state there:');
  console.table(table);
  const second = table[1];
  const pages = Math.ceil(UNCHANGED_KEYS / PAGE_KEYS);
  aim(second.unchanged === UNCHANGED_KEYS, `${second.unchanged} objects were unchanged`);
  aim(second['pages of the source'] === pages, `${second['pages of the source']} pages instead of ${pages}`);
  aim(second['reads of objects'] === undefined, `${second['reads of objects']} objects were read`);
  aim(second['writes of the ledger'] === undefined, 'the ledger was written');
  // One snapshot: its head when the ledger is opened, and its blocks of which these keys fill a few.
  aim(second['reads of the ledger'] <= 8, `${second['reads of the ledger']} reads of the ledger`);
}

/** A run that embeds everything: what part of its main thread, and of its time, the ledger takes. */
async function shareOfRun(folder, proxy) {
  const bucket = `bench-${process.pid}-whole`;
  const documents = path.join(folder, 'documents');
  const corpus = await writeCorpus({ docs: at('docs'), folder: documents, bytes: Number(values.mb) * 1e6 });
  const names = await readdir(documents);
  await newBucket(
    bucket,
    names.map((key) => ({ key: `docs/${key}`, body: () => readFile(path.join(documents, key)) })),
  );
  const rows = [];
  for (const [title, state] of [
    ['folder', path.join(folder, 'state')],
    ['S3', `s3://${bucket}/state`],
  ]) {
    const profiles = path.join(folder, `profile-${title}`);
    await mkdir(profiles);
    proxy.take();
    const args = ['run', `s3://${bucket}/docs/`, '--sink', `lancedb:${path.join(folder, `whole-${title}`)}`];
    const { seconds } = await node(
      ['--cpu-prof', '--cpu-prof-dir', profiles, cli, ...args, '--state', state, '--json', '--no-progress'],
      { AWS_ENDPOINT_URL_S3: proxy.url },
    );
    const mainThread = await profileShare(profiles, 'dist/ledger/objects/');
    const writes = proxy.take().filter((request) => purpose(bucket, request) === 'writes of the ledger');
    // Beside the work and not instead of it: what it costs at most, on a store as slow as this one.
    const underWay = writes.reduce((sum, { ms }) => sum + ms, 0) / 1000 / seconds;
    const per = (share) => `${(share * 100).toFixed(2)} %`;
    rows.push({
      'state in': title,
      seconds,
      'main thread in the ledger': per(mainThread / seconds),
      'writes to S3': title === 'S3' ? writes.length : '',
      'a write was under way': title === 'S3' ? per(underWay) : '',
    });
    aim(mainThread / seconds < MAX_SHARE_OF_RUN, `${title}: ${per(mainThread / seconds)} of the main thread`);
  }
  console.log(
    `the ledger's part of a run that embeds everything (${corpus.files} documents, bundled model):`,
  );
  console.table(rows);
}

await build();
const folder = await mkdtemp(path.join(os.tmpdir(), 'embatch-bench-'));
const services = await startServices(['s3'], { signal: new AbortController().signal });
let proxy;
try {
  if (services.missing.length > 0) throw new Error(services.missing.join('\n'));
  Object.assign(process.env, services.environment);
  proxy = await startCountingProxy(services.environment.EMBATCH_TEST_S3);
  console.log(`\n${await machineFacts()}\n`);
  await compareListing(folder);
  await countRequests(folder, proxy);
  await shareOfRun(folder, proxy);
} finally {
  await proxy?.close();
  await services.stop();
  await rm(folder, { recursive: true, force: true });
}
for (const miss of misses) console.error(`MISSED: ${miss}`);
if (misses.length > 0) process.exitCode = 1;
