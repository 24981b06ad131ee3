/**
 * Processing jobs from the request to the index: our own SageMaker starts the entry point of the image once for each
 * instance, each with an /opt/ml of its own as documented.
 */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { createSageMakerEngine } from '#embatch/engines/sagemaker/engine.js';
import type { Engine, Fleet } from '#embatch/engines/engine.js';
import { shardOf } from '#embatch/shard/shard-of-key.js';
import { eventually } from '../../support/eventually.js';
import { recordingLogger } from '../../support/recording-logger.js';
import { testData } from '../../support/paths.js';
import { runCli } from '../../support/run-cli.js';
import { layOut, skipWithoutMounts, startHost, type HostProcess } from '../../support/sagemaker/opt-ml.js';
import { SageMakerServer } from '../../support/sagemaker/server.js';
import { tempFolder, writeFiles } from '../../support/temp-folder.js';

const skip = skipWithoutMounts;
const sentence = 'The quick brown fox jumps over the lazy dog while the seven wizards wait for rain. ';

/** Where documents, index and state of a test lie, as a shard is told. */
function placesIn(folder: string): Record<string, string> {
  return {
    EMBATCH_SOURCE: join(folder, 'docs'),
    EMBATCH_SINK: `lancedb:${join(folder, 'index')}`,
    EMBATCH_STATE: join(folder, 'state'),
    EMBATCH_WORKERS: '1',
    // It starts in a third of the time of the bundled one.
    EMBATCH_MODEL: testData('models/tiny-bert'),
    EMBATCH_JSON: 'true',
  };
}

async function assertVerified(folder: string, environment: Readonly<Record<string, string>>): Promise<void> {
  const { EMBATCH_SHARDS: _, ...env } = environment;
  const { code, stdout, stderr } = await runCli(['verify'], { cwd: folder, env });
  assert.equal(code, 0, stdout + stderr);
}

function messageOf(process: HostProcess | undefined): string {
  const bytes = process?.message();
  assert.ok(bytes !== undefined, 'no exit message was left');
  assert.ok(bytes.length <= 1024, `the exit message has ${bytes.length} bytes`);
  return bytes.toString();
}

describe('a container of a processing job', { skip }, () => {
  /** As the file has them: in lexicographic order. */
  const hosts = ['algo-1', 'algo-10', 'algo-2'];

  /** Starts all containers of a job, each with an /opt/ml of its own. */
  function startAll(
    folder: string,
    job: string,
    environment: Readonly<Record<string, string>>,
  ): HostProcess[] {
    return hosts.map((name) => {
      const host = { name, hosts, folder: join(folder, job, name), job: { ProcessingJobName: job } };
      layOut(host);
      return startHost(host, ['run'], environment);
    });
  }

  test('is the shard that its host’s place says, drains on SIGINT, and a rerun completes the index', async (t) => {
    const folder = await tempFolder(t);
    // The one that is stopped has the most to do: it is still at work when the signal comes.
    const keys = Array.from({ length: 200 }, (_, i) => `${i}.txt`);
    const [few, many] = [
      keys.filter((key) => shardOf(key, 3) !== 1),
      keys.filter((key) => shardOf(key, 3) === 1),
    ];
    const documents = [...few.slice(0, 4), ...many.slice(0, 8)].map((key) => [
      key,
      `${key} ${sentence.repeat(200)}`,
    ]);
    await writeFiles(join(folder, 'docs'), Object.fromEntries(documents) as Record<string, string>);
    const environment = { ...placesIn(folder), EMBATCH_SHARDS: '3' };

    const first = startAll(folder, 'first', environment);
    t.after(() => first.forEach(({ child }) => child.kill('SIGKILL')));
    await eventually('algo-10 is at work', () =>
      existsSync(join(folder, 'state/shards/1-of-3/heartbeat.json')),
    );
    first[1]?.child.kill('SIGINT');
    const ended = await Promise.all(first.map((host) => host.ended));
    const said = ended.map(({ stderr }) => stderr).join('');
    assert.deepEqual(
      ended.map(({ code }) => code),
      [0, 130, 0],
      said,
    );
    assert.match(
      messageOf(first[0]),
      /^shard 0 of 3: exit 0, complete: \d+ objects?, \d+ vectors? written to lancedb:.*\n$/,
    );
    assert.match(messageOf(first[1]), /^shard 1 of 3: exit 130, stopped: .* goes on from there\.\n$/);
    assert.match(messageOf(first[2]), /^shard 2 of 3: exit 0, complete: /);

    const second = startAll(folder, 'second', environment);
    t.after(() => second.forEach(({ child }) => child.kill('SIGKILL')));
    assert.deepEqual(
      (await Promise.all(second.map((host) => host.ended))).map(({ code }) => code),
      [0, 0, 0],
    );
    await assertVerified(folder, environment);
  });

  test('leaves a message about wrong usage, with its shard, or without where that cannot be told', async (t) => {
    const folder = await tempFolder(t);
    const [, host] = startAll(folder, 'wrong', { EMBATCH_SOURCE: folder, EMBATCH_CHUNK_TOKENS: 'many' });
    assert.equal((await host?.ended)?.code, 2);
    assert.match(
      messageOf(host),
      /^shard 1 of 3: exit 2, failed: EMBATCH_CHUNK_TOKENS must be .* Nothing was written\./,
    );

    const place = { name: 'algo-3', hosts, folder: join(folder, 'stranger'), job: {} };
    layOut(place);
    const stranger = startHost(place, ['run'], placesIn(folder));
    assert.equal((await stranger.ended).code, 2);
    assert.match(
      messageOf(stranger),
      /^shard unknown: exit 2, failed: .*does not name current_host \("algo-3"\)/,
    );
  });

  test('that cannot write its message runs as well, with a warning', async (t) => {
    const folder = await tempFolder(t);
    await writeFiles(join(folder, 'docs'), { 'a.txt': sentence });
    const place = { name: 'algo-1', hosts: ['algo-1'], folder: join(folder, 'host'), job: {} };
    layOut(place);
    writeFileSync(join(folder, 'host/ml/output/message.d'), '');
    await writeFiles(join(folder, 'host/ml/output/message'), {
      blocker: 'a folder where the file should be',
    });
    const host = startHost(place, ['run'], {
      ...placesIn(folder),
      EMBATCH_MODEL: testData('models/tiny-bert'),
    });
    const { code, stderr } = await host.ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /exit message could not be written to \/opt\/ml\/output\/message/);
  });

  for (const word of ['serve', 'train']) {
    test(`refuses ${word} with 2`, async (t) => {
      const folder = await tempFolder(t);
      const place = { name: 'algo-1', hosts: ['algo-1'], folder: join(folder, 'host'), job: {} };
      layOut(place);
      const { code, stderr } = await startHost(place, [word], {}).ended;
      assert.equal(code, 2);
      assert.match(stderr, new RegExp(`^embatch: ${word} is `));
    });
  }
});

interface Job {
  readonly folder: string;
  readonly server: SageMakerServer;
  readonly engine: Engine;
  readonly fleet: Fleet;
}

/** A fleet of two shards, ready to be submitted. */
async function prepare(
  t: TestContext,
  documents: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>> = {},
): Promise<Job> {
  const folder = await tempFolder(t);
  await writeFiles(join(folder, 'docs'), documents);
  const server = await SageMakerServer.start({ folder: join(folder, 'containers') });
  t.after(() => server.close());
  const engine = await createSageMakerEngine(
    {
      image: 'embatch:0.1.0',
      role: 'arn:aws:iam::123456789012:role/embatch',
      instanceType: 'ml.c7i.4xlarge',
      volumeGb: 30,
      subnets: [],
      securityGroups: [],
      tags: [],
      timeout: 3_600_000,
    },
    { log: recordingLogger(), environment: server.environment },
  );
  t.after(() => engine.close());
  const places = placesIn(folder);
  const fleet = {
    name: 'docs-a1',
    shards: 2,
    arguments: ['run'],
    environment: {
      ...places,
      EMBATCH_SHARDS: '2',
      EMBATCH_MODEL: testData('models/tiny-bert'),
      ...environment,
    },
    labels: { source: folder, sink: places['EMBATCH_SINK'] ?? '', state: places['EMBATCH_STATE'] ?? '' },
  };
  return { folder, server, engine, fleet };
}

const refOf = ({ name, shards }: Fleet) => ({ name, shards, handle: undefined });
const some = { 'a.txt': sentence, 'b.txt': sentence, 'c.txt': sentence, 'd.txt': sentence };

describe('a fleet of SageMaker', { skip }, () => {
  test('goes from its submission to an index that verifies, and tells of each shard', async (t) => {
    const { folder, server, engine, fleet } = await prepare(t, some);
    await engine.submit(fleet);
    assert.equal((await engine.state(refOf(fleet)))?.phase, 'running');
    await server.job(fleet.name).done;
    const state = await engine.state(refOf(fleet));
    assert.deepEqual(
      [state?.phase, state?.shards.map(({ index, exitCode }) => [index, exitCode])],
      [
        'succeeded',
        [
          [0, 0],
          [1, 0],
        ],
      ],
      server.job(fleet.name).exitMessage,
    );
    await assertVerified(folder, fleet.environment);
  });

  test('succeeds with dead letters where they are tolerated, and says so; fails otherwise', async (t) => {
    const documents = { ...some, 'bad.jsonl': '{"text": \n' };
    for (const [tolerated, phase] of [
      ['true', 'succeeded'],
      ['false', 'failed'],
    ] as const) {
      const variables = { EMBATCH_TOLERATE_DEAD_LETTERS: tolerated, EMBATCH_TEXT_FIELD: 'text' };
      const { server, engine, fleet } = await prepare(t, documents, variables);
      await engine.submit(fleet);
      await server.job(fleet.name).done;
      const state = await engine.state(refOf(fleet));
      const codes = state?.shards.map(({ exitCode }) => exitCode);
      assert.deepEqual([state?.phase, codes?.sort()], [phase, [0, 20]], server.job(fleet.name).exitMessage);
    }
  });

  test('that is wrong fails with what its shards say', async (t) => {
    const { server, engine, fleet } = await prepare(t, some, { EMBATCH_SINK: 'nonsense://x' });
    await engine.submit(fleet);
    await server.job(fleet.name).done;
    const state = await engine.state(refOf(fleet));
    assert.equal(state?.phase, 'failed');
    assert.match(state.reason ?? '', /exit code: 2; shard 0 of 2: exit 2, failed: .*nonsense/);
  });

  test('is stopped in good order, and goes on where it was', async (t) => {
    const { folder, server, engine, fleet } = await prepare(t, some);
    const long = Array.from({ length: 8 }, (_, i) => [`long-${i}.txt`, `${i} ${sentence.repeat(200)}`]);
    await writeFiles(join(folder, 'docs'), Object.fromEntries(long) as Record<string, string>);
    await engine.submit(fleet);
    await eventually('both shards are at work', () =>
      [0, 1].every((shard) => existsSync(join(folder, `state/shards/${shard}-of-2/heartbeat.json`))),
    );
    await engine.stop(refOf(fleet));
    assert.deepEqual(await engine.state(refOf(fleet)).then((state) => state?.reason), 'stopping');
    await server.job(fleet.name).done;
    const stopped = await engine.state(refOf(fleet));
    assert.deepEqual(
      [stopped?.phase, stopped?.shards.map(({ exitCode }) => exitCode)],
      ['stopped', [130, 130]],
    );

    const again = { ...fleet, name: 'docs-a2' };
    await engine.submit(again);
    await server.job(again.name).done;
    assert.equal((await engine.state(refOf(again)))?.phase, 'succeeded', server.job(again.name).exitMessage);
    await assertVerified(folder, fleet.environment);
  });
});
