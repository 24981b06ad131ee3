/**
 * One listing of bench/listing.mjs in a process of its own, so that its memory is its own. Takes one JSON document as its
 * argument, prints one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { at } from '../scripts/lib/project.mjs';

const load = (name) => import(at(`dist/${name}.js`));
const { openSource } = await load('source/open-source');
const { openState } = await load('ledger/open-state');
const { writeListing } = await load('job/listing/write-listing');
const { listedSource } = await load('job/listing/read-listing');

const { step, manifest } = JSON.parse(process.argv[2]);
const MIB = 2 ** 20;
const PAUSE_EACH_KEYS = 10_000;
/** Long enough for all requests that are under way to be answered. */
const PAUSE_MS = 500;

const nothing = () => undefined;
const log = { debug: nothing, info: nothing, warn: console.error, error: console.error };
const signal = new AbortController().signal;
const options = { include: [], exclude: [], limit: undefined, hidden: false, followLinks: false };
const source = await openSource('s3://bench/', { log, include: [], exclude: [] });

async function all(objects) {
  let keys = 0;
  let last = '';
  for await (const { key } of objects) {
    if (key <= last) throw new Error(`${key} came after ${last}`);
    last = key;
    keys += 1;
  }
  return keys;
}

/** What is held beyond what is in use at the start, where the consumer stands still and all that was asked for has come. */
async function held() {
  globalThis.gc();
  const inUse = () => process.memoryUsage().heapUsed + process.memoryUsage().external;
  const before = inUse();
  let most = 0;
  let keys = 0;
  for await (const object of source.list({ signal })) {
    if (object.key === '') throw new Error('a key is empty');
    keys += 1;
    if (keys % PAUSE_EACH_KEYS !== 0) continue;
    await sleep(PAUSE_MS);
    globalThis.gc();
    most = Math.max(most, inUse() - before);
  }
  return { keys, heldMb: most / MIB };
}

const steps = {
  list: async () => ({ keys: await all(source.list({ signal })) }),
  held,
  write: async () => {
    const store = await openState(manifest);
    return { keys: await all(writeListing(source.list({ signal }), { store, source, options, signal })) };
  },
  read: async () => {
    const store = await openState(manifest);
    const listed = await listedSource(source, { store, options, log });
    return { keys: await all(listed.list({ signal })) };
  },
};

const cpu = process.cpuUsage();
const started = performance.now();
const result = await steps[step]();
const seconds = (performance.now() - started) / 1000;
const { user, system } = process.cpuUsage(cpu);
await source.close();
const peakMb = process.resourceUsage().maxRSS / 1024;
console.log(JSON.stringify({ ...result, seconds, cpuSeconds: (user + system) / 1e6, peakMb }));
