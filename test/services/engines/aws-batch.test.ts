/** The engine against moto, which checks little: what a real Batch would refuse, the unit tests look at. */
import assert from 'node:assert/strict';
import {
  type JobDetail,
  type SubmitJobRequest,
  DescribeJobDefinitionsCommand,
  DescribeJobsCommand,
  ListJobsCommand,
} from '@aws-sdk/client-batch';
import { test, type TestContext } from 'node:test';
import { createAwsBatchEngine } from '#embatch/engines/aws-batch/engine.js';
import type { AwsBatchOptions } from '#embatch/engines/aws-batch/config.js';
import type { Engine, Fleet } from '#embatch/engines/engine.js';
import { duringTests } from '../../support/during-tests.js';
import { startFaultProxy, type FaultProxy, type SeenRequest } from '../../support/fault-proxy.js';
import { recordingLogger, type RecordingLogger } from '../../support/recording-logger.js';
import { runCli } from '../../support/run-cli.js';
import { s3Url, skipWithoutS3 as skip } from '../../support/services.js';
import { openBatchServer } from './batch-server.js';

const server = duringTests(
  skip,
  async () => {
    const opened = await openBatchServer();
    await opened.jobs('succeed');
    return opened;
  },
  ({ client }) => client.destroy(),
);

interface Opened {
  readonly engine: Engine;
  readonly log: RecordingLogger;
}

async function open(
  t: TestContext,
  options: Partial<AwsBatchOptions> = {},
  environment: Readonly<Record<string, string | undefined>> = {},
): Promise<Opened> {
  const log = recordingLogger();
  const defaults = {
    queue: server.queue,
    jobDefinition: undefined,
    image:
      options.jobDefinition === undefined
        ? '123456789012.dkr.ecr.eu-central-1.amazonaws.com/embatch:1'
        : undefined,
    role: undefined,
    cpu: undefined,
    memory: undefined,
    retries: 3,
    timeout: undefined,
    tags: [],
  };
  const engine = await createAwsBatchEngine(
    { ...defaults, ...options },
    { log, environment: { ...server.environment, ...environment } },
    { pauseMs: 5 },
  );
  t.after(() => engine.close());
  return { engine, log };
}

let fleets = 0;

function newFleet(changes: Partial<Fleet> = {}): Fleet {
  fleets += 1;
  return {
    name: `embatch-test-${process.pid}-${fleets}`,
    shards: 3,
    arguments: ['run'],
    environment: { EMBATCH_SHARDS: String(changes.shards ?? 3), EMBATCH_SOURCE: 's3://bucket/docs' },
    labels: { source: 's3://bucket/docs', sink: 'opensearch://host/docs', state: 's3://bucket/state' },
    ...changes,
  };
}

async function jobOf(handle: string | undefined): Promise<JobDetail | undefined> {
  const { jobs = [] } = await server.client.send(new DescribeJobsCommand({ jobs: [handle ?? ''] }));
  return jobs[0];
}

const variablesOf = (job: JobDetail | undefined): Record<string, string | undefined> =>
  Object.fromEntries(
    (job?.container?.environment ?? []).map(({ name = '', value }) => [name, value] as const),
  );

async function proxied(t: TestContext): Promise<FaultProxy> {
  const proxy = await startFaultProxy(s3Url());
  t.after(() => proxy.close());
  return proxy;
}

const isSubmit = ({ url }: SeenRequest): boolean => url === '/v1/submitjob';

test('several shards are an array job, whose children are told apart', { skip }, async (t) => {
  const { engine } = await open(t);
  const fleet = newFleet();
  const handle = await engine.submit(fleet);
  const job = await jobOf(handle);
  assert.equal(job?.jobName, fleet.name);
  assert.equal(job.arrayProperties?.size, 3);
  assert.deepEqual(job.container?.command, ['run']);
  assert.deepEqual(variablesOf(job), {
    EMBATCH_SHARDS: '3',
    EMBATCH_SOURCE: 's3://bucket/docs',
    EMBATCH_WORKERS: '4',
    AWS_BATCH_JOB_ID: handle,
  });
  assert.equal(job.tags?.['embatch-source'], 's3://bucket/docs');
  for (const ref of [
    { ...fleet, handle },
    { ...fleet, handle: undefined },
    { name: fleet.name, shards: 0, handle: undefined },
  ]) {
    const state = await engine.state(ref);
    assert.equal(state?.phase, 'succeeded');
    assert.deepEqual(
      state.shards.map(({ index, phase }) => [index, phase]),
      [0, 1, 2].map((index) => [index, 'succeeded']),
    );
  }
});

test('one shard is a plain job that is told which it is', { skip }, async (t) => {
  const { engine } = await open(t);
  const fleet = newFleet({ shards: 1 });
  const handle = await engine.submit(fleet);
  const job = await jobOf(handle);
  assert.equal(job?.arrayProperties?.size, undefined);
  const environment = variablesOf(job);
  assert.deepEqual([environment['EMBATCH_SHARD'], environment['EMBATCH_SHARDS']], ['0', '1']);
  const state = await engine.state({ ...fleet, handle });
  assert.deepEqual([state?.phase, state?.shards.length], ['succeeded', 1]);
});

test(
  'a definition is made once for one content, and anew where it was changed by hand',
  { skip },
  async (t) => {
    const { engine } = await open(t, {
      image: `registry.example.com/embatch:${server.queue}`,
      cpu: '2',
      memory: '3GiB',
    });
    const [register] = engine.requests(newFleet());
    const jobDefinitionName = String(register?.body['jobDefinitionName']);
    const revisions = async () => {
      const found = await server.client.send(
        new DescribeJobDefinitionsCommand({ jobDefinitionName, status: 'ACTIVE' }),
      );
      return found.jobDefinitions?.length;
    };
    await engine.submit(newFleet());
    await engine.submit(newFleet());
    assert.equal(await revisions(), 1);
    const { RegisterJobDefinitionCommand } = await import('@aws-sdk/client-batch');
    await server.client.send(
      new RegisterJobDefinitionCommand({
        jobDefinitionName,
        type: 'container',
        containerProperties: { image: 'another', vcpus: 1, memory: 512 },
      }),
    );
    const job = await jobOf(await engine.submit(newFleet()));
    assert.equal(await revisions(), 3);
    assert.match(job?.jobDefinition ?? '', new RegExp(`/${jobDefinitionName}:3$`));
  },
);

test(
  'a definition of the user is taken as it is, with other CPUs and memory where they are given',
  { skip },
  async (t) => {
    const { engine } = await open(t, { jobDefinition: server.definition, cpu: '8', memory: '16GiB' });
    const fleet = newFleet();
    const [only, ...more] = engine.requests(fleet);
    assert.deepEqual([only?.call, more], ['SubmitJob', []]);
    const job = await jobOf(await engine.submit(fleet));
    assert.match(job?.jobDefinition ?? '', new RegExp(`/${server.definition}:1$`));
    // moto does not tell the sizes of a job.
    const { containerOverrides } = only?.body as unknown as SubmitJobRequest; // The body of a SubmitJob.
    assert.deepEqual(containerOverrides?.resourceRequirements, [
      { type: 'VCPU', value: '8' },
      { type: 'MEMORY', value: '16384' },
    ]);
  },
);

test('a job of the same name that has not ended is met, and not doubled', { skip }, async (t) => {
  const { engine } = await open(t);
  const fleet = newFleet();
  await server.jobs('linger');
  t.after(() => server.jobs('succeed'));
  const handle = await engine.submit(fleet);
  await assert.rejects(engine.submit(fleet), {
    code: 'USAGE',
    message: /has a job .* that has not ended .*nothing was started/,
  });
  const { jobSummaryList = [] } = await server.client.send(
    new ListJobsCommand({ jobQueue: server.queue, filters: [{ name: 'JOB_NAME', values: [fleet.name] }] }),
  );
  assert.deepEqual(
    jobSummaryList.map(({ jobId }) => jobId).filter((id) => id?.includes(':') === false),
    [handle],
  );
  const state = await engine.state({ ...fleet, handle: undefined });
  assert.deepEqual(
    [state?.phase, state?.shards.map(({ phase }) => phase)],
    ['running', ['failed', 'failed', 'failed']],
  );
});

test('a stop leaves its reason with the job, by id and by name', { skip }, async (t) => {
  const { engine } = await open(t);
  await server.jobs('linger');
  t.after(() => server.jobs('succeed'));
  for (const byName of [false, true]) {
    const fleet = newFleet();
    const handle = await engine.submit(fleet);
    const ref = { ...fleet, handle: byName ? undefined : handle };
    await engine.stop(ref);
    await engine.stop(ref);
    assert.equal((await jobOf(handle))?.statusReason, 'Stopped by embatch.');
  }
  await engine.stop({ ...newFleet(), handle: undefined });
});

test('a submission whose answer is lost is found, and not sent twice', { skip }, async (t) => {
  const proxy = await proxied(t);
  proxy.add({ fault: { kind: 'cut', bytes: 0 }, when: isSubmit, times: 1 });
  const { engine, log } = await open(t, {}, { AWS_ENDPOINT_URL_BATCH: proxy.url });
  const fleet = newFleet();
  const handle = await engine.submit(fleet);
  assert.equal((await jobOf(handle))?.jobName, fleet.name);
  assert.equal(proxy.requests.filter(isSubmit).length, 1);
  assert.match(log.lines.join('\n'), /warn AWS Batch took the job .*, though its answer was lost/);
});

test('a submission that did not arrive is no job', { skip }, async (t) => {
  const proxy = await proxied(t);
  proxy.add({ fault: { kind: 'drop' }, when: isSubmit });
  const { engine } = await open(t, {}, { AWS_ENDPOINT_URL_BATCH: proxy.url });
  const fleet = newFleet();
  await assert.rejects(engine.submit(fleet), { code: 'ENGINE', message: /did not take the job/ });
  assert.equal(await engine.state({ ...fleet, handle: undefined }), undefined);
});

test('a submission that was throttled is sent again', { skip }, async (t) => {
  const proxy = await proxied(t);
  const fault = {
    kind: 'respond',
    status: 429,
    headers: { 'x-amzn-errortype': 'TooManyRequestsException' },
    body: '{}',
  } as const;
  proxy.add({ fault, when: isSubmit, times: 2 });
  const { engine } = await open(t, {}, { AWS_ENDPOINT_URL_BATCH: proxy.url });
  assert.notEqual(await engine.submit(newFleet()), undefined);
  assert.equal(proxy.requests.filter(isSubmit).length, 3);
});

test('a stop while it is submitted takes the job back', { skip }, async (t) => {
  const proxy = await proxied(t);
  await server.jobs('linger');
  t.after(() => server.jobs('succeed'));
  const stopped = new AbortController();
  proxy.add({
    fault: { kind: 'stall', bytes: 0 },
    when: (request) => {
      if (isSubmit(request)) setImmediate(() => setTimeout(() => stopped.abort(new Error('enough')), 200));
      return isSubmit(request);
    },
    times: 1,
  });
  const { engine } = await open(t, {}, { AWS_ENDPOINT_URL_BATCH: proxy.url });
  const fleet = newFleet();
  await assert.rejects(engine.submit(fleet, { signal: stopped.signal }), /enough/);
  const { jobSummaryList = [] } = await server.client.send(
    new ListJobsCommand({ jobQueue: server.queue, filters: [{ name: 'JOB_NAME', values: [fleet.name] }] }),
  );
  const parent = jobSummaryList.find(({ jobId }) => jobId?.includes(':') === false);
  assert.equal(parent?.statusReason, 'Stopped by embatch.');
});

test('what a person must change is a USAGE error that names it', { skip }, async (t) => {
  const proxy = await proxied(t);
  const denied =
    'User: arn:aws:iam::123456789012:user/x is not authorized to perform: batch:SubmitJob on resource: y';
  const refusals: readonly (readonly [
    Partial<AwsBatchOptions>,
    Record<string, string | undefined>,
    RegExp,
  ])[] = [
    [{ queue: 'no-such-queue' }, {}, /Job queue no-such-queue does not exist/],
    [{ jobDefinition: 'no-such-definition' }, {}, /Job definition no-such-definition does not exist/],
    [{}, { AWS_ENDPOINT_URL_BATCH: proxy.url }, /not authorized .* need the right to batch:SubmitJob/],
    [{}, { AWS_ENDPOINT_URL_BATCH: 'localhost:5000' }, /AWS_ENDPOINT_URL_BATCH must be a URL/],
  ];
  proxy.add({
    fault: {
      kind: 'respond',
      status: 403,
      headers: { 'x-amzn-errortype': 'AccessDeniedException' },
      body: JSON.stringify({ message: denied }),
    },
    when: isSubmit,
  });
  for (const [options, environment, message] of refusals) {
    await assert.rejects(async () => (await open(t, options, environment)).engine.submit(newFleet()), {
      code: 'USAGE',
      message,
    });
  }
});

test('a service that is not there is an ENGINE error', { skip }, async (t) => {
  const { engine } = await open(t, {}, { AWS_ENDPOINT_URL_BATCH: 'http://127.0.0.1:1' });
  await assert.rejects(engine.submit(newFleet()), { code: 'ENGINE', retryable: true });
});

test('the program submits, and a second submit makes another attempt', { skip }, async () => {
  const flags = [
    's3://bucket/docs',
    '--sink',
    'opensearch://search.example.com/docs',
    '--state',
    `s3://embatch-test-batch/${server.queue}`,
  ];
  const engine = ['--queue', server.queue, '--image', 'embatch:1', '--shards', '2'];
  const env = { ...server.environment, AWS_ENDPOINT_URL_S3: s3Url() };
  const created = await fetch(`${s3Url()}/embatch-test-batch`, { method: 'PUT' });
  assert.ok(created.ok || created.status === 409);
  const submit = (...more: string[]) =>
    runCli(['submit', 'aws-batch', ...flags, ...engine, '--json', ...more], { env });
  const many = await submit('--shards', '10001');
  assert.equal(many.code, 2);
  assert.match(many.stderr, /--shards 10001 is more than aws-batch takes in one job: 10000/);
  const printed = await submit('--print');
  assert.equal(printed.code, 0, printed.stderr);
  assert.match(printed.stdout, /RegisterJobDefinition[^]*SubmitJob/);
  const [first, second] = [await submit(), await submit()];
  assert.deepEqual([first.code, second.code], [0, 0], first.stderr + second.stderr);
  const names = [first, second].map(({ stdout }) => (JSON.parse(stdout) as { job: string }).job);
  assert.match(names[0] ?? '', /-a1$/);
  assert.match(names[1] ?? '', /-a2$/);
});
