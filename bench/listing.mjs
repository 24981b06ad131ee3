/**
 * npm run bench:listing [-- --keys 200000] [-- --delay-ms 30] [-- --shape folders|numbers|hashes]
 *
 * One prefix listed at several places at once, and page by page, from a server that takes a while for each page; and
 * the same listing written once and read back.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { build } from '../scripts/build.mjs';
import { at } from '../scripts/lib/project.mjs';
import { startFakeS3 } from './fake-s3.mjs';
import { machineFacts } from './machine.mjs';

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '200000' },
    'delay-ms': { type: 'string', default: '30' },
    shape: { type: 'string', default: 'folders' },
  },
});

const PAGE_KEYS = 1000;
const execute = promisify(execFile);
const total = Number(values.keys);
const listDelayMs = Number(values['delay-ms']);
const padded = (n, digits) => String(n).padStart(digits, '0');
/** How keys look decides how well those further on can be guessed. */
const shapes = {
  folders: (n) => `documents/2026/archive-${padded(n >> 10, 5)}/${padded(n, 9)}.md`,
  numbers: (n) => `documents/2026/archive/${padded(n, 9)}.md`,
  hashes: (n) => `documents/${createHash('md5').update(String(n)).digest('hex')}.md`,
};
const shapeOf = shapes[values.shape];
if (shapeOf === undefined) throw new Error(`--shape is one of ${Object.keys(shapes).join(', ')}`);
const keys = Array.from({ length: total }, (_, n) => shapeOf(n)).sort();
const bodyOf = () => 'x';

async function work(server, step, { flags = [], manifest } = {}) {
  const { stdout } = await execute(
    process.execPath,
    [...flags, at('bench/listing-work.mjs'), JSON.stringify({ step, manifest })],
    { env: { ...process.env, ...server.environment } },
  );
  const result = JSON.parse(stdout);
  if (result.keys !== total) throw new Error(`${step}: ${result.keys} keys instead of ${total}`);
  return result;
}

const row = (title, { seconds, cpuSeconds, peakMb }, requests) => ({
  measured: title,
  seconds: seconds.toFixed(1),
  'keys/s': Math.round(total / seconds),
  'CPU s': cpuSeconds.toFixed(1),
  'peak MB': Math.round(peakMb),
  ...(requests === undefined ? {} : { requests }),
});

await build();
const folder = await mkdtemp(path.join(os.tmpdir(), 'embatch-bench-'));
const manifest = path.join(folder, 'listing');
const parallel = await startFakeS3({ keys, bodyOf, listDelayMs });
// A store that begins at the start whatever it is told is listed page by page, by the same code.
const sequential = await startFakeS3({ keys, bodyOf, listDelayMs, ignoresStartAfter: true });
try {
  console.log(
    `\n${await machineFacts()}\n${total} keys (${values.shape}), ${listDelayMs} ms added to each page of ${PAGE_KEYS}\n`,
  );
  const several = await work(parallel, 'list');
  const requests = parallel.pages;
  const single = await work(sequential, 'list');
  const singleRequests = sequential.pages;
  const written = await work(parallel, 'write', { manifest });
  const read = await work(parallel, 'read', { manifest });
  const { heldMb } = await work(parallel, 'held', { flags: ['--expose-gc'] });
  console.table([
    row('at several places', several, requests),
    row('page by page', single, singleRequests),
    row('listed and written to a folder', written),
    row('read back', read),
  ]);
  console.log(
    `at several places is ${(single.seconds / several.seconds).toFixed(1)} times as fast as page by page`,
  );
  console.log(`pages that were held, where the consumer stands still: at most ${heldMb.toFixed(1)} MiB`);
} finally {
  await parallel.close();
  await sequential.close();
  await rm(folder, { recursive: true, force: true });
}
