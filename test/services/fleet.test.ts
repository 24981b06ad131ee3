/** Four shards on this machine, S3 to OpenSearch, one of them killed: what `status` and `submit` say of it. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { FleetStatus } from '#embatch/job/fleet/status.js';
import { eventually } from '../support/eventually.js';
import { deleteIndex, scanIndex } from '../support/opensearch.js';
import { testData } from '../support/paths.js';
import { runCli, s3Environment, type Ended } from '../support/run-cli.js';
import { testBucketDuringTests } from '../support/s3-bucket.js';
import { openSearchUrl, skipWithoutOpenSearch, skipWithoutS3 } from '../support/services.js';
import { tempFolder } from '../support/temp-folder.js';

const skip = skipWithoutOpenSearch || skipWithoutS3;
const index = 'fleet';
const DOCUMENTS = 80;
const SHARDS = 4;
const bucket = testBucketDuringTests((made) =>
  made.putAll(
    Array.from({ length: DOCUMENTS }, (_, n) => [`docs/${n}.md`, `Document ${n}. `.repeat(30)] as const),
  ),
);

after(async () => {
  if (skip === false) await deleteIndex(openSearchUrl(), index);
});

test(
  'one of four shards is killed: nobody says it is well, and a second submit ends the job',
  { skip },
  async (t) => {
    const folder = await tempFolder(t);
    await deleteIndex(openSearchUrl(), index);
    const sink = `${openSearchUrl().replace('http:', 'opensearch+http:')}/${index}`;
    const job = [`s3://${bucket.name}/docs/`, '--sink', sink, '--state', 'state'];
    const model = ['--model', testData('models/tiny-bert')];
    const options = { cwd: folder, env: s3Environment() };
    const submit = ['submit', 'local', ...job, ...model, '--shards', String(SHARDS), '--wait', '--json'];

    const seen: FleetStatus[] = [];
    const look = async (): Promise<FleetStatus | undefined> => {
      const { code, stdout } = await runCli(['status', '--state', 'state', '--json'], options);
      const status = JSON.parse(stdout) as FleetStatus;
      assert.equal(code, status.exitCode);
      // Before the first shard has begun there is nothing to show.
      if (code === 2) return undefined;
      assert.equal(status.shards.length, SHARDS);
      assert.equal(
        Object.values(status.phases).reduce((sum, n) => sum + n, 0),
        SHARDS,
      );
      seen.push(status);
      return status;
    };
    const killed = eventually('the second shard has begun', async () => {
      const start = await readFile(join(folder, 'state/shards/2-of-4/run.json'), 'utf8').catch(() => '{}');
      const { pid } = JSON.parse(start) as { pid?: number };
      return pid !== undefined && process.kill(pid, 'SIGKILL');
    });
    const over = new AbortController();
    const watched = (async (): Promise<void> => {
      while (!over.signal.aborted) await look();
    })();
    const first = await runCli([...submit, '--retries', '0'], options).finally(() => {
      over.abort();
    });
    await killed;
    await watched;
    assert.equal(first.code, 27, first.stderr);
    const ended = await look();
    assert.deepEqual([ended?.status, ended?.phases.done, ended?.phases.dead], ['lost', 3, 1]);
    assert.equal(ended?.shards[2]?.phase, 'dead');
    for (const status of seen) {
      const { phase } = status.shards[2] ?? assert.fail('a shard is lacking');
      assert.ok(
        ['not started', 'running', 'dead'].includes(phase),
        `the killed shard was said to be ${phase}`,
      );
      assert.notEqual(status.status, 'complete');
    }
    assertRefused(await runCli(['finalize', '--state', 'state', '--sink', sink], options));

    const second = await runCli(submit, options);
    assert.equal(second.code, 0, second.stderr);
    const { job: name, status } = JSON.parse(second.stdout) as { job: string; status: FleetStatus };
    assert.match(name, /-a2$/);
    assert.deepEqual([status.phases.done, status.objects.settled], [SHARDS, DOCUMENTS]);
    const verified = await runCli(['verify', ...job, ...model], options);
    assert.equal(verified.code, 0, verified.stdout);
    const rows = await scanIndex(openSearchUrl(), index);
    assert.equal(new Set(rows.map(({ source }) => source.metadata.key)).size, DOCUMENTS);
  },
);

function assertRefused({ code, stderr }: Ended): void {
  assert.equal(code, 2, stderr);
  assert.match(stderr, /3 of 4 shards have ended well, so the index is not whole/);
}
