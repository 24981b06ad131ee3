/** What the image must do wherever it runs: each check is a sentence, and runs containers of the image as it was built. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { at } from '../lib/project.mjs';
import { eventually } from './containers.mjs';

/** As strict as clusters make it. */
const strict = [
  '--read-only',
  '--tmpfs',
  '/tmp',
  '--cap-drop=all',
  '--security-opt=no-new-privileges',
  '--network=none',
];

const tides = '# Tides\n\nThe pull of the moon raises the sea twice a day.\n';
const { version } = JSON.parse(readFileSync(at('package.json'), 'utf8'));

/** A folder that the container's user may write, whoever that is. */
function shared(...parts) {
  const folder = path.join(...parts);
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o777);
  return folder;
}

/** Writes a folder of documents and gives the options that mount it, and a folder for sink and state. */
function job(folder, documents) {
  const docs = shared(folder, 'docs');
  const out = shared(folder, 'out');
  for (const [name, text] of Object.entries(documents)) writeFileSync(path.join(docs, name), text);
  const words = ['/data/docs', '--sink', 'lancedb:/data/out/vectors', '--state', '/data/out/state', '--json'];
  return { out, words, mounts: ['-v', `${docs}:/data/docs:ro`, '-v', `${out}:/data/out`] };
}

const summaryOf = ({ stdout, stderr }) => {
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout);
};

/** @type {Readonly<Record<string, (containers: ReturnType<typeof import('./containers.mjs').createContainers>, folder: string) => Promise<void>>>} */
export const checks = {
  'the image has its own user, the exec form of its entry point, and `run` for its command': async ({
    inspectImage,
  }) => {
    const config = JSON.parse(await inspectImage('{{json .Config}}'));
    assert.deepEqual(config.Entrypoint, ['/usr/local/bin/node', '/opt/embatch/container/entrypoint.mjs']);
    assert.deepEqual(config.Cmd, ['run']);
    assert.equal(config.User, '10001:10001');
    assert.equal(config.WorkingDir, '/data');
    assert.equal(config.Labels['org.opencontainers.image.version'], version);
    assert.equal(config.Labels['org.opencontainers.image.licenses'], 'Apache-2.0');
    assert.doesNotMatch(config.Env.join('\n'), /TOKEN|SECRET|PASSWORD|KEY=/i);
  },

  '--version prints the version': async ({ run }) => {
    const { code, stdout, stderr } = await run(['--version'], strict);
    assert.deepEqual([code, stdout.trim()], [0, version], stderr);
  },

  'nothing of the build is left: no npm, no compiler, no sources, and nothing below /opt/ml': async ({
    run,
  }) => {
    const script =
      'for c in npm npx corepack yarn gcc g++ cc make python3; do command -v $c && exit 1; done; ' +
      'for f in /opt/ml /opt/embatch/src /opt/embatch/scripts /opt/embatch/.npmrc /opt/embatch/node_modules/typescript; ' +
      'do [ ! -e $f ] || { echo $f; exit 1; }; done; command -v embatch';
    const { code, stdout } = await run(['-c', script], [...strict, '--entrypoint', '/bin/sh']);
    assert.deepEqual([code, stdout.trim()], [0, '/usr/local/bin/embatch']);
  },

  'without arguments it is `run`, and without a source that is wrong usage': async ({ run }) => {
    const { code, stderr } = await run([], strict);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /there is nothing to read/);
  },

  'SageMaker’s serve and train are refused with 2 and a reason': async ({ run }) => {
    for (const [word, reason] of [
      ['serve', /serve is not there yet/],
      ['train', /train is nothing that embatch does/],
    ]) {
      const { code, stderr } = await run([word], strict);
      assert.equal(code, 2, stderr);
      assert.match(stderr, reason);
    }
  },

  'a folder becomes an index that answers, with a read-only root and without a network': async (
    { run },
    folder,
  ) => {
    const { words, mounts } = job(folder, {
      'tides.md': tides,
      'coffee.txt': 'Grind the beans just before brewing.',
    });
    const ended = await run(['run', ...words], [...strict, ...mounts]);
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(summaryOf(ended).vectors.written, 2);
    const question = ['search', 'Why does the water rise?', '--sink', 'lancedb:/data/out/vectors', '--json'];
    const found = await run(question, [...strict, ...mounts]);
    assert.equal(found.code, 0, found.stderr);
    assert.equal(JSON.parse(found.stdout).hits[0].metadata.key, 'tides.md');
  },

  'any user may run it, also one without a name and without HOME': async ({ run }, folder) => {
    const { words, mounts } = job(folder, { 'tides.md': tides });
    const ended = await run(
      ['run', ...words],
      [...strict, ...mounts, '--user', '54321:54321', '--env', 'HOME='],
    );
    assert.equal(ended.code, 0, ended.stderr);
  },

  'dead letters end it with 20, and with 0 where they are tolerated': async ({ run }, folder) => {
    const { words, mounts } = job(folder, { 'tides.md': tides, 'bad.jsonl': '{"text": \n' });
    const command = ['run', ...words, '--text-field', 'text'];
    assert.equal((await run(command, [...strict, ...mounts])).code, 20);
    const options = [...strict, ...mounts, '--env', 'EMBATCH_TOLERATE_DEAD_LETTERS=true'];
    const tolerated = await run(command, options);
    assert.deepEqual([tolerated.code, summaryOf(tolerated).exitCode], [0, 20], tolerated.stderr);
  },

  'process 1 is node with user 10001; SIGTERM and SIGINT drain it, and it tells its engine': async (
    containers,
    folder,
  ) => {
    for (const [signal, code] of [
      ['SIGTERM', 143],
      ['SIGINT', 130],
    ])
      await stopUnderLoad(containers, path.join(folder, signal), signal, code);
  },
};

/** Needs servers: their addresses are told in the environment, and the container shares this machine's network. */
export const serverChecks = {
  'a prefix in S3 becomes an index of OpenSearch that answers': async ({ run }, _folder, servers) => {
    const { CreateBucketCommand, PutObjectCommand, S3Client } = await import('@aws-sdk/client-s3');
    const client = new S3Client({
      endpoint: servers.AWS_ENDPOINT_URL_S3,
      region: servers.AWS_REGION,
      forcePathStyle: true,
      credentials: { accessKeyId: servers.AWS_ACCESS_KEY_ID, secretAccessKey: servers.AWS_SECRET_ACCESS_KEY },
    });
    const name = `embatch-container-${String(process.pid)}-${String(Date.now())}`;
    await client.send(new CreateBucketCommand({ Bucket: name }));
    for (const [Key, Body] of [
      ['docs/tides.md', tides],
      ['docs/coffee.txt', 'Grind the beans just before brewing.'],
    ]) {
      await client.send(new PutObjectCommand({ Bucket: name, Key, Body }));
    }
    client.destroy();
    const index = new URL(name, `${servers.EMBATCH_TEST_OPENSEARCH}/`);
    const sink = `opensearch+${index.href}`;
    const env = Object.entries(servers).filter(([key]) => key.startsWith('AWS_'));
    const options = [
      ...strict.filter((option) => option !== '--network=none'),
      '--network=host',
      ...env.flatMap(([key, value]) => ['--env', `${key}=${value}`]),
    ];
    try {
      const words = [`s3://${name}/docs`, '--sink', sink, '--state', `s3://${name}/state`, '--json'];
      const ended = await run(['run', ...words], options);
      assert.equal(ended.code, 0, ended.stderr);
      const found = await run(['search', 'Why does the water rise?', '--sink', sink, '--json'], options);
      assert.equal(found.code, 0, found.stderr);
      assert.equal(JSON.parse(found.stdout).hits[0].metadata.key, 'docs/tides.md');
    } finally {
      await fetch(index, { method: 'DELETE' });
    }
  },
};

/** More than is embedded in the time that this takes. */
const load = Object.fromEntries(
  Array.from({ length: 200 }, (_, i) => [`${String(i)}.txt`, `${String(i)} ${tides.repeat(300)}`]),
);

async function stopUnderLoad({ start, pidOf, kill }, folder, signal, code) {
  const { out, words, mounts } = job(folder, load);
  const ml = shared(folder, 'ml');
  shared(ml, 'output');
  shared(ml, 'config');
  const config = { current_host: 'algo-2', hosts: ['algo-1', 'algo-10', 'algo-2'] };
  writeFileSync(path.join(ml, 'config/resourceconfig.json'), JSON.stringify(config));
  const { name, ended } = start(['run', ...words], [...strict, ...mounts, '-v', `${ml}:/opt/ml`]);
  const heartbeat = path.join(out, 'state/shards/2-of-3/heartbeat.json');
  const early = ended.then(({ stderr }) => assert.fail(`ended before it was stopped: ${stderr}`));
  await Promise.race([eventually('the run is at work', () => existsSync(heartbeat)), early]);
  const pid = await pidOf(name);
  assert.ok(pid !== undefined);
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  assert.match(status, /^NSpid:.*\s1$/m);
  assert.match(status, /^Uid:\t10001\t10001/m);
  assert.match(readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8'), /^\/usr\/local\/bin\/node\0/);
  early.catch(() => undefined);
  await kill(name, signal);
  const stopped = await ended;
  assert.equal(stopped.code, code, stopped.stderr);
  const summary = summaryOf(stopped);
  assert.equal(summary.status, 'stopped');
  assert.deepEqual(summary.shard, { index: 2, count: 3, from: 'sagemaker' });
  const message = readFileSync(path.join(ml, 'output/message'), 'utf8');
  assert.match(message, new RegExp(`^shard 2 of 3: exit ${String(code)}, stopped: `));
}
