/** `embatch submit kubernetes` as a user types it. */
import assert from 'node:assert/strict';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { duringTests } from '../support/during-tests.js';
import { runCli, type Ended } from '../support/run-cli.js';
import { skipWithoutKubernetes } from '../support/services.js';
import { writeFiles } from '../support/temp-folder.js';
import { connectToTestCluster } from './support/cluster.js';
import { EMBATCH, images } from './support/fleets.js';
import { jsonlKeys } from './support/jsonl-keys.js';
import { startMiniKubelet } from './support/mini-kubelet.js';

const namespace = 'cli';

const lab = duringTests(
  skipWithoutKubernetes,
  async () => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'embatch-test-')));
    const cluster = connectToTestCluster();
    await cluster.createNamespace(namespace);
    await writeFiles(folder, { 'pods/.keep': '' });
    const kubelet = await startMiniKubelet(cluster.config, {
      images,
      namespace,
      folder: join(folder, 'pods'),
    });
    return { folder, cluster, kubelet };
  },
  async ({ folder, kubelet }) => {
    await kubelet.close();
    await rm(folder, { recursive: true, force: true });
  },
);

interface Job {
  readonly source: string;
  readonly sink: string;
  readonly state: string;
}

async function jobWith(name: string, files: Readonly<Record<string, string>>): Promise<Job> {
  const folder = join(lab.folder, name);
  await writeFiles(join(folder, 'source'), files);
  return { source: join(folder, 'source'), sink: join(folder, 'sink'), state: join(folder, 'state') };
}

function submit(job: Job, flags: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const places = [job.source, '--sink', `jsonl:${job.sink}`, '--state', job.state];
  return runCli(
    [
      'submit',
      'kubernetes',
      ...places,
      '--image',
      EMBATCH,
      '--namespace',
      namespace,
      '--workers',
      '1',
      ...flags,
    ],
    { cwd: lab.folder, env: { KUBECONFIG: lab.cluster.file, HOME: lab.folder, ...env } },
  );
}

const texts = Object.fromEntries(
  Array.from({ length: 9 }, (_, index) => [`doc-${index}.txt`, `Text ${index}.`]),
);

describe('embatch submit kubernetes', { skip: skipWithoutKubernetes, concurrency: true }, () => {
  test('--wait follows three shards to their end, and ends with 0', async () => {
    const job = await jobWith('waited', texts);
    const ended = await submit(job, ['--shards', '3', '--wait', '--json']);
    assert.equal(ended.code, 0, ended.stderr);
    assert.deepEqual(await jsonlKeys(job.sink), Object.keys(texts).sort());
    const status = await runCli(['status', '--state', job.state, '--json']);
    assert.equal(status.code, 0, status.stdout);
  });

  test('dead letters are no failure to the Job, and 20 to who waits', async () => {
    const job = await jobWith('letters', { ...texts, 'broken.json': '{ "text": ' });
    const ended = await submit(job, ['--shards', '2', '--wait', '--json']);
    assert.equal(ended.code, 20, ended.stderr);
    assert.deepEqual(await jsonlKeys(job.sink), Object.keys(texts).sort());
  });

  test('--print shows a manifest that the cluster takes, and creates nothing', async () => {
    const job = await jobWith('printed', texts);
    const { code, stdout, stderr } = await submit(job, ['--shards', '4', '--print']);
    assert.equal(code, 0, stderr);
    const printed = parse(stdout) as { metadata: { name: string }; spec: { completions: number } };
    assert.equal(printed.spec.completions, 4);
    const path = `/apis/batch/v1/namespaces/${namespace}/jobs?dryRun=All&fieldValidation=Strict`;
    const answer = await lab.cluster.post(path, printed);
    assert.equal(answer.status, 201, answer.body);
    const { items } = await lab.cluster.batch.listNamespacedJob({ namespace });
    assert.ok(!items.some((one) => one.metadata?.name === printed.metadata.name));
  });

  test('a fleet that has not ended is not submitted a second time', async () => {
    const job = await jobWith('twice', texts);
    const flags = ['--shards', '2', '--image', 'registry.example/never:1'];
    const first = await submit(job, flags);
    assert.equal(first.code, 0, first.stderr);
    const second = await submit(job, flags);
    assert.equal(second.code, 2, second.stdout);
    assert.match(second.stderr, /is there already and has not ended \(namespace cli of https:/);
    const { items } = await lab.cluster.batch.listNamespacedJob({ namespace });
    const annotated = items.filter((one) => one.metadata?.annotations?.['embatch/source'] === job.source);
    assert.equal(annotated.length, 1);
  });

  test('what is wrong is said in one line, and nothing is started', async () => {
    const job = await jobWith('wrong', texts);
    const rights = [{ apiGroups: ['batch'], resources: ['jobs'], verbs: ['get'] }];
    const reader = await lab.cluster.userWith(rights, { namespace, name: 'reader', folder: lab.folder });
    const nowhere = join(lab.folder, 'nowhere.kubeconfig');
    const config = lab.cluster.config
      .exportConfig()
      .replaceAll(/https:\/\/127\.0\.0\.1:\d+/g, 'https://127.0.0.1:1');
    await writeFiles(lab.folder, { 'nowhere.kubeconfig': config });
    for (const [flags, env, wanted] of [
      [['--shards', '2'], { KUBECONFIG: reader }, /the right to create jobs\.batch is missing/],
      [['--shards', '2'], { KUBECONFIG: nowhere }, /https:\/\/127\.0\.0\.1:1 cannot be reached/],
      [['--shards', '2'], { KUBECONFIG: join(lab.folder, 'none') }, /no Kubernetes cluster to submit to/],
      [['--shards', '0'], {}, /--shards/],
      [['--shards', '100001'], {}, /100000/],
      [['--shards', '2', '--schedule', 'nightly'], {}, /--schedule "nightly" is no schedule/],
    ] as const) {
      const ended = await submit(job, flags, env);
      assert.equal(ended.code, 2, `${flags.join(' ')}: ${ended.stdout}${ended.stderr}`);
      assert.match(ended.stderr, wanted);
      assert.doesNotMatch(ended.stderr, /\n {4}at /);
    }
    const { items } = await lab.cluster.batch.listNamespacedJob({ namespace });
    assert.ok(!items.some((one) => one.metadata?.annotations?.['embatch/source'] === job.source));
  });
});
