/** `submit local`, `status` and `finalize` as a user types them. */
import assert from 'node:assert/strict';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { FleetStatus } from '#embatch/job/fleet/status.js';
import { eventually } from '../support/eventually.js';
import { testData } from '../support/paths.js';
import { runCli } from '../support/run-cli.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';

const tiny = ['--model', testData('models/tiny-bert')];
const local = ['submit', 'local', 'docs', ...tiny];

const documents = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`docs/${n}.md`, `Document ${n}.`]));

test('a job on two processes ends, is finalized, and leaves a log of each', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, documents(12));
  const { code, stdout, stderr } = await runCli([...local, '--shards', '2', '--wait', '--logs', 'logs'], {
    cwd: folder,
  });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /2 shards: 2 done · 12 of 12 objects/);
  const [name = ''] = await readdir(join(folder, 'logs'));
  for (const shard of [0, 1]) {
    assert.match(await readFile(join(folder, 'logs', name, `shard-${shard}.log`), 'utf8'), /Done/);
  }
  const status = await runCli(['status', '--source', 'docs', '--json'], { cwd: folder });
  assert.equal(status.code, 0);
  assert.equal((JSON.parse(status.stdout) as FleetStatus).objects.settled, 12);
  assert.equal((await runCli(['finalize', '--source', 'docs'], { cwd: folder })).code, 0);
});

test('without --wait it goes on by itself, and a second submit is refused meanwhile', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, documents(400));
  const submit = [...local, '--shards', '2'];
  const first = await runCli(submit, { cwd: folder });
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /embatch status --watch --state/);
  const second = await runCli(submit, { cwd: folder });
  assert.equal(second.code, 2, second.stdout);
  assert.match(second.stderr, /nothing was started/);
  await eventually('the job is done', async () => {
    return (await runCli(['status', '--source', 'docs'], { cwd: folder })).code === 0;
  });
});

test('a shard that fails is started again, so often as --retries says', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, documents(4));
  const words = [...local, '--shards', '2', '--wait', '--retries', '1', '--json', '--logs', 'logs'];
  const sink = ['--sink', 'opensearch+http://127.0.0.1:9/docs', '--sink-patience', '1s'];
  const { code, stdout } = await runCli([...words, ...sink], { cwd: folder });
  assert.equal(code, 23, stdout);
  const { told, job } = JSON.parse(stdout) as {
    job: string;
    told: { shards: { phase: string; reason: string }[] };
  };
  for (const { phase, reason } of told.shards) {
    assert.deepEqual([phase, reason], ['failed', 'exit code 23, after 2 failures']);
  }
  const log = await readFile(join(folder, 'logs', job, 'shard-0.log'), 'utf8');
  assert.equal(log.match(/^embatch: .*127\.0\.0\.1:9/gm)?.length, 2, log);
});

test('what is wrong for every shard ends the fleet at once', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, documents(4));
  const words = [...local, '--shards', '2', '--wait', '--chunk-tokens', '100000'];
  const { code, stdout } = await runCli(words, { cwd: folder });
  assert.equal(code, 2, stdout);
  const status = await runCli(['status', '--source', 'docs'], { cwd: folder });
  assert.equal(status.code, 27);
  assert.match(status.stdout, /failed .*--chunk-tokens 100000 is more than/);
});

test('a stop reaches the shards, and the same command takes the job up again', async (t) => {
  const folder = await tempFolder(t);
  const text = 'The water of the lake was still. '.repeat(200);
  const names = Array.from({ length: 150 }, (_, n) => `docs/${n}.md`);
  await writeFiles(folder, Object.fromEntries(names.map((name) => [name, `${name} ${text}`])));
  const words = [...local, '--shards', '2', '--wait', '--state', 'state'];
  const stopped = await runCli(words, {
    cwd: folder,
    onSpawn: (child) => {
      const begun = (shard: number): Promise<boolean> =>
        stat(join(folder, `state/shards/${shard}-of-2/run.json`)).then(
          () => true,
          () => false,
        );
      void eventually('both shards work', async () => (await begun(0)) && (await begun(1))).then(() =>
        child.kill('SIGTERM'),
      );
    },
  });
  assert.equal(stopped.code, 143, stopped.stderr);
  const status = await runCli(['status', '--state', 'state'], { cwd: folder });
  assert.equal(status.code, 27, status.stdout);
  assert.match(status.stdout, /stopped/);
  const again = await runCli(words, { cwd: folder });
  assert.equal(again.code, 0, again.stderr);
});

test('--print shows what would be started, and starts nothing', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, documents(1));
  const manifest = ['--source-manifest', './listing'];
  const { code, stdout } = await runCli([...local, ...manifest, '--shards', '2', '--print', '--json'], {
    cwd: folder,
  });
  assert.equal(code, 0);
  const requests = JSON.parse(stdout) as {
    body: { command: string[]; environment: Record<string, string> };
  }[];
  assert.deepEqual(
    requests.map(({ body }) => [
      body.command.at(-1),
      body.environment['EMBATCH_SHARD'],
      body.environment['EMBATCH_SHARDS'],
      body.environment['EMBATCH_SOURCE_MANIFEST'],
    ]),
    [
      ['run', '0', '2', './listing'],
      ['run', '1', '2', './listing'],
    ],
  );
  assert.deepEqual(await readdir(folder), ['docs']);
});

const refused: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['no number of shards', [], /--shards N/],
  ['no shard at all', ['--shards', '0'], /--shards must be/],
  ['more than the engine takes', ['--shards', '1025'], /more than local takes in one job: 1024/],
  ['a sink that is none', ['--shards', '2', '--sink', 'nonsense'], /names no sink/],
  ['an option of another engine', ['--shards', '2', '--queue', 'q'], /unknown option '--queue'/],
];
for (const [name, words, message] of refused) {
  test(`${name}: refused before anything is started`, async (t) => {
    const folder = await tempFolder(t);
    await writeFiles(folder, documents(1));
    const { code, stderr } = await runCli([...local, ...words], { cwd: folder });
    assert.equal(code, 2);
    assert.match(stderr, message);
    assert.deepEqual(await readdir(folder), ['docs']);
  });
}

test('a job for other machines must not lie on this one', async (t) => {
  const folder = await tempFolder(t);
  await writeFiles(folder, documents(1));
  const ray = ['submit', 'ray', '--shards', '2', '--address', 'http://127.0.0.1:9'];
  for (const [words, message] of [
    [['docs'], /--source docs: the shards run on other machines/],
    [['s3://bucket/docs'], /--sink lancedb:\.\/vectors: the shards run on other machines/],
    [
      ['s3://bucket/docs', '--sink', 'opensearch://h:9200/docs'],
      /--state is not given and would be \.embatch/,
    ],
    [
      [
        ...['s3://bucket/docs', '--sink', 'opensearch://h:9200/docs', '--state', 's3://bucket/state'],
        ...['--source-manifest', './listing'],
      ],
      /--source-manifest \.\/listing: the shards run on other machines/,
    ],
  ] as const) {
    const { code, stderr } = await runCli([...ray, ...words], { cwd: folder });
    assert.equal(code, 2);
    assert.match(stderr, message);
  }
});
