import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { FaultProxy, SeenRequest } from '../../support/fault-proxy.js';
import { disturb } from './disturb.js';
import { runCli, s3Environment } from '../../support/run-cli.js';
import { tempFolder } from '../../support/temp-folder.js';
import type { Documents } from './documents.js';
import { embatch, endedWith, KILLED, tiny } from './faulty-run.js';
import { assertIndexEqualsSource, assertSameVectors, lanceDbRows, type StoredRow } from './index-check.js';
import type { Random } from './settings.js';

/** Objects of which a run may have read something that no journal knows yet: read ahead, in bundles, and being written. */
const MOST_IN_WORK = 120;

const LONGEST_DELAY_MS = 800;

export interface KillOptions {
  readonly documents: Documents;
  readonly random: Random;
  readonly kills: number;
  /** Arguments of `embatch run`. */
  readonly args: readonly string[];
  /** Requests that reading an object takes, at most; by default 1. */
  readonly readsOfObject?: number;
  /** A run is killed at one of so many requests. */
  readonly mostRequests: number;
  /** What the run uses S3 through, and where else its requests can be seen. */
  readonly s3: FaultProxy;
  readonly others: readonly FaultProxy[];
  readonly rows: () => Promise<StoredRow[]>;
}

/**
 * Kills run after run at a moment drawn at random, before or after some request was passed on, while the source
 * changes; then one is left to end, and the index must hold what the source holds.
 */
export async function killRuns(t: TestContext, options: KillOptions): Promise<void> {
  const { documents, random, kills, args, s3, readsOfObject = 1 } = options;
  const isRead = ({ method, url }: SeenRequest): boolean => method === 'GET' && /\.(txt|jsonl)\?/.test(url);
  let toRead = documents.keys.length;
  let reads = 0;
  let ended = 0;
  const moments: string[] = [];
  for (let kill = 0; kill < kills; kill++) {
    const moment = await killedRun(options);
    reads += s3.requests.filter(isRead).length;
    if (moment === undefined) ended += 1;
    else moments.push(moment);
    // A run that had nothing left to do is no test: it gets more than the others.
    toRead += await disturb(documents, { oneIn: moment === undefined ? 2 : 20 }, random);
  }
  s3.reset();
  for (const proxy of options.others) proxy.reset();
  const last = endedWith(0, await embatch(args, { s3: s3.url }));
  reads += s3.requests.filter(isRead).length;

  const rows = await options.rows();
  assertIndexEqualsSource(rows, documents);
  const verified = await runCli(['verify', ...args, ...tiny.filter((flag) => flag !== '--no-progress')], {
    env: s3Environment(),
  });
  assert.equal(verified.code, 0, verified.stdout);
  const folder = join(await tempFolder(t), 'undisturbed');
  endedWith(0, await embatch([documents.place.uri, '--sink', `lancedb:${folder}`]));
  assertSameVectors(rows, await lanceDbRows(folder));
  const written = rows.map(({ writes }) => writes).filter((writes) => writes !== undefined);
  const perRow = written.reduce((sum, writes) => sum + writes, 0) / written.length;
  t.diagnostic(
    `${moments.length} runs killed, ${ended} ended before; the last one: ${JSON.stringify(last.objects)}`,
  );
  t.diagnostic(`killed at: ${moments.join(', ')}`);
  t.diagnostic(
    `work repeated: ${reads} reads of ${toRead} versions of objects, a factor of ${(reads / toRead).toFixed(2)}` +
      (written.length === 0 ? '' : `; rows were written ${perRow.toFixed(2)} times each`),
  );
  assert.ok(moments.length >= kills / 2, `only ${moments.length} of ${kills} runs were killed`);
  const bound = (toRead + moments.length * MOST_IN_WORK) * readsOfObject;
  assert.ok(reads <= bound, `${reads} objects were read; at most ${bound} should be`);
}

/** At which request the run was killed; undefined where it ended before. */
async function killedRun({
  args,
  random,
  mostRequests,
  s3,
  others,
}: KillOptions): Promise<string | undefined> {
  const target = random.between(1, mostRequests);
  const isAfter = random.oneIn(2);
  // What a run does between its requests must be met, too.
  const delayMs = random.oneIn(2) ? 0 : random.between(0, LONGEST_DELAY_MS);
  let seen = 0;
  let child: ChildProcess | undefined;
  let moment: string | undefined;
  const kill = (): void => {
    if (delayMs === 0) child?.kill('SIGKILL');
    else setTimeout(() => child?.kill('SIGKILL'), delayMs);
  };
  for (const proxy of [s3, ...others]) {
    proxy.reset();
    proxy.add({
      when(request) {
        seen += 1;
        if (seen !== target) return false;
        const when = delayMs === 0 ? (isAfter ? 'after' : 'before') : `${delayMs} ms after`;
        moment = `${when} ${target}. ${kindOf(request)}`;
        return true;
      },
      fault: isAfter
        ? { kind: 'tell', done: kill }
        : { kind: 'hold', until: () => Promise.resolve().then(kill) },
    });
  }
  const run = await embatch(args, { s3: s3.url, onSpawn: (spawned) => (child = spawned) });
  if (run.code === KILLED) return moment;
  endedWith(0, run);
  return undefined;
}

function kindOf({ method, url }: SeenRequest): string {
  const path = url.replace(/\?.*/, '');
  if (/_bulk|_delete_by_query|_refresh/.test(path)) return path.replace(/.*\//, '');
  if (url.includes('/state')) return `${method} state`;
  return url.includes('list-type') ? 'listing' : `${method} ${/\.(txt|jsonl)$/.test(path) ? 'object' : path}`;
}
