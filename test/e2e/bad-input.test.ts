/** Bad input ends with one message of what, where and what to do, the right exit code and no stack trace. */
import assert from 'node:assert/strict';
import { chmod, cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { runCli, type CliOptions } from '../support/run-cli.js';
import { testData } from '../support/paths.js';
import { tempFolder } from '../support/temp-folder.js';

interface Case {
  readonly name: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly code: number;
  readonly says: RegExp;
}

const noServer = 'http://127.0.0.1:9';

const cases: readonly Case[] = [
  {
    name: 'no command',
    args: [],
    code: 2,
    says: /name a command: run, retry, verify, .*search, submit, models/,
  },
  { name: 'an unknown command', args: ['rum'], code: 2, says: /unknown command 'rum'.*run/ },
  {
    name: 'an unknown option',
    args: ['run', '.', '--chunk-token', '5'],
    code: 2,
    says: /unknown option '--chunk-token'.*--chunk-tokens/,
  },
  { name: 'no source', args: ['run'], code: 2, says: /nothing to read: name a folder or s3:\/\// },
  {
    name: 'two sources',
    args: ['run', 'a', '--source', 'b'],
    code: 2,
    says: /two sources are named: a and --source b/,
  },
  {
    name: 'no workers',
    args: ['run', '.', '--workers', '0'],
    code: 2,
    says: /--workers must be a whole number/,
  },
  {
    name: 'the shard after the last',
    args: ['run', '.', '--shard', '4', '--shards', '4'],
    code: 2,
    says: /shard.*4.*0 to 3/i,
  },
  { name: 'a shard of how many', args: ['run', '.', '--shard', '1'], code: 2, says: /--shards/ },
  { name: 'a folder that is not there', args: ['run', './missing'], code: 21, says: /missing/ },
  { name: 'an unknown source', args: ['run', 'ftp://host/x'], code: 2, says: /ftp:\/\/host\/x/ },
  {
    name: 'an unknown sink',
    args: ['run', '.', '--sink', 'redis://x'],
    code: 2,
    says: /redis:\/\/x.*lancedb:DIR/,
  },
  {
    name: 'a sink module that is not there',
    args: ['run', '.', '--sink', './nope.js'],
    code: 2,
    says: /no such module/,
  },
  {
    name: 'an unknown model',
    args: ['run', '.', '--model', 'no-such-model'],
    code: 22,
    says: /no model no-such-model.*all-MiniLM-L6-v2/,
  },
  {
    name: 'more chunk tokens than the model takes',
    args: ['run', '.', '--chunk-tokens', '300'],
    code: 2,
    says: /--chunk-tokens 300 .*256/,
  },
  {
    name: 'a template without text',
    args: ['run', '.', '--document-template', '{title}'],
    code: 2,
    says: /\{text\}/,
  },
  {
    name: 'a contradictory pair',
    args: ['run', '.', '--chunker', 'none', '--chunk-tokens', '64'],
    code: 2,
    says: /--chunk-tokens has no meaning with --chunker none/,
  },
  {
    name: 'recreate with shards',
    args: ['run', '.', '--recreate', '--shard', '0', '--shards', '2'],
    code: 2,
    says: /--recreate with 2 shards/,
  },
  {
    name: 'a job file that is not there',
    args: ['run', '--config', 'job.yaml'],
    code: 2,
    says: /job\.yaml cannot be read/,
  },
  {
    name: 'no credentials',
    args: ['run', 's3://bucket/x'],
    env: { AWS_ENDPOINT_URL_S3: noServer },
    code: 21,
    says: /credentials.*AWS_ACCESS_KEY_ID/,
  },
  {
    name: 'an S3 host that is not there',
    args: ['run', 's3://bucket/x'],
    env: {
      AWS_ENDPOINT_URL_S3: noServer,
      AWS_ACCESS_KEY_ID: 'a',
      AWS_SECRET_ACCESS_KEY: 'b',
      AWS_REGION: 'us-east-1',
    },
    code: 21,
    says: /127\.0\.0\.1:9/,
  },
  {
    name: 'an OpenSearch host that is not there',
    args: ['run', '.', '--sink', 'opensearch+http://127.0.0.1:9/x'],
    code: 23,
    says: /127\.0\.0\.1:9/,
  },
  {
    name: 'a password in a sink URI',
    args: ['run', '.', '--sink', 'opensearch://me:hunter2@host/x'],
    code: 2,
    says: /OPENSEARCH_PASSWORD/,
  },
  {
    name: 'a search where there is no index',
    args: ['search', 'x', '--sink', 'lancedb:./nothing'],
    code: 2,
    says: /there is no index/,
  },
  {
    name: 'a search without a question',
    args: ['search'],
    code: 2,
    says: /missing required argument 'question'/,
  },
];

async function prepared(context: TestContext): Promise<string> {
  const folder = await tempFolder(context);
  await writeFile(join(folder, 'a.md'), '# A\n\nSome text.\n');
  return folder;
}

for (const { name, args, env, code, says } of cases) {
  test(`${name} ends with ${code} and says so`, async (context) => {
    const cwd = await prepared(context);
    const options: CliOptions = { cwd, ...(env === undefined ? {} : { env }) };
    const plain = await runCli(args, options);
    assert.equal(plain.code, code, plain.stderr);
    assert.match(plain.stderr, says);
    assert.doesNotMatch(plain.stderr, /^\s+at /m, 'no stack trace');
    assert.doesNotMatch(plain.stderr + plain.stdout, /hunter2/, 'no secret');
    assert.equal(plain.stdout, '');
    assert.deepEqual(await readdir(cwd), ['a.md'], 'nothing is left behind');
  });
}

test('with --json a failure is exactly one JSON document', async (context) => {
  const cwd = await prepared(context);
  for (const args of [
    ['run', './missing', '--json'],
    ['run', '.', '--json', '--workers', '0'],
    ['run', '.', '--json', '--no-such-option'],
    ['search', 'x', '--json', '--sink', 'lancedb:./nothing'],
  ]) {
    const { code, stdout } = await runCli(args, { cwd });
    const { status, exitCode, error } = JSON.parse(stdout) as {
      status: string;
      exitCode: number;
      error: { code: string; message: string };
    };
    assert.deepEqual([status, exitCode], ['failed', code], args.join(' '));
    assert.ok(error.code.length > 0 && error.message.length > 0);
  }
});

test('--log-level debug shows the stack trace', async (context) => {
  const cwd = await prepared(context);
  const { stderr } = await runCli(['run', './missing', '--log-level', 'debug', '--log-format', 'text'], {
    cwd,
  });
  assert.match(stderr, /\bat .+\.js:\d+/);
});

test('a prefix or folder without keys is done, with a warning', async (context) => {
  const cwd = await tempFolder(context);
  await mkdir(join(cwd, 'empty'));
  const { code, stderr } = await runCli(['run', 'empty', '--json'], { cwd });
  assert.equal(code, 0);
  assert.match(stderr, /has no keys/);
});

test('an index of another dimension is refused, and --recreate is the way on', async (context) => {
  const cwd = await prepared(context);
  const tiny = ['--model', testData('models/tiny-bert')];
  assert.equal((await runCli(['run', '.'], { cwd })).code, 0);
  const refused = await runCli(['run', '.', ...tiny], { cwd });
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /holds vectors of 384 dimensions, this model makes 16.*--recreate/);
  const recreated = await runCli(['run', '.', ...tiny, '--recreate'], { cwd });
  assert.equal(recreated.code, 0, recreated.stderr);
});

test('a model folder without a tokenizer is refused before anything is written', async (context) => {
  const cwd = await prepared(context);
  const model = await tempFolder(context);
  await cp(testData('models/tiny-bert'), model, { recursive: true });
  await rm(join(model, 'tokenizer.json'));
  const { code, stderr } = await runCli(['run', '.', '--model', model], { cwd });
  assert.equal(code, 22);
  assert.match(stderr, /tokenizer\.json/);
  assert.deepEqual(await readdir(cwd), ['a.md']);
});

test('a read-only folder for the sink is refused with its name', async (context) => {
  if (process.getuid?.() === 0) {
    context.skip('root may write anywhere');
    return;
  }
  const cwd = await prepared(context);
  await mkdir(join(cwd, 'locked'));
  await chmod(join(cwd, 'locked'), 0o500);
  const { code, stderr } = await runCli(['run', '.', '--sink', 'lancedb:./locked/vectors'], { cwd });
  assert.equal(code, 24);
  assert.match(stderr, /locked/);
});

test('a file where the sink folder should be is refused with its name', async (context) => {
  const cwd = await prepared(context);
  await writeFile(join(cwd, 'vectors'), 'not a folder');
  const { code, stderr } = await runCli(['run', '.'], { cwd });
  assert.ok(code === 23 || code === 24, String(code));
  assert.match(stderr, /vectors/);
  assert.doesNotMatch(stderr, /^\s+at /m);
});

test('a server that is no OpenSearch is told apart', async (context) => {
  const server = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => server.close());
  const { port } = server.address() as { port: number };
  const cwd = await prepared(context);
  const { code, stderr } = await runCli(['run', '.', '--sink', `opensearch+http://127.0.0.1:${port}/x`], {
    cwd,
  });
  assert.ok(code === 2 || code === 23, `${code} ${stderr}`);
  assert.match(stderr, /OpenSearch/);
});

test('--dry-run shows the resolved job with secrets redacted, and touches nothing', async (context) => {
  const cwd = await prepared(context);
  await writeFile(join(cwd, 'job.yaml'), 'batchTokens: 1024\nchunkTokens: 128\n');
  const { code, stdout } = await runCli(
    ['run', 's3://bucket/x', '--config', 'job.yaml', '--dry-run', '--json', '--chunk-tokens', '64'],
    { cwd, env: { OPENSEARCH_PASSWORD: 'hunter2', EMBATCH_WORKERS: '3' } },
  );
  assert.equal(code, 0);
  assert.doesNotMatch(stdout, /hunter2/);
  const job = JSON.parse(stdout) as {
    options: Record<string, unknown>;
    from: Record<string, string>;
    resolved: { workers: number };
    environment: Record<string, string>;
  };
  assert.deepEqual(
    [job.options['batchTokens'], job.options['chunkTokens'], job.resolved.workers],
    [1024, 64, 3],
  );
  assert.deepEqual(
    [job.from['batchTokens'], job.from['chunkTokens'], job.from['workers']],
    ['job file', 'flag', 'EMBATCH_WORKERS'],
  );
  assert.equal(job.environment['OPENSEARCH_PASSWORD'], '(redacted)');
  assert.deepEqual((await readdir(cwd)).toSorted(), ['a.md', 'job.yaml']);
});
