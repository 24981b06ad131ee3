import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { isEmbatchError, type ErrorCode } from '#embatch/core/errors.js';
import { createSageMakerEngine } from '#embatch/engines/sagemaker/engine.js';
import type { Engine, Fleet } from '#embatch/engines/engine.js';
import { recordingLogger } from '../../../support/recording-logger.js';
import { SageMakerServer, type SageMakerFault } from '../../../support/sagemaker/server.js';

const fleet: Fleet = {
  name: 'embatch-docs-a1',
  shards: 3,
  arguments: ['run'],
  environment: { EMBATCH_SOURCE: 's3://bucket/docs', EMBATCH_SHARDS: '3' },
  labels: { source: 's3://bucket/docs', sink: 'lancedb:s3://bucket/index', state: 's3://bucket/state' },
};
const ref = { name: fleet.name, shards: 3, handle: undefined };

const options = {
  image: '123456789012.dkr.ecr.eu-central-1.amazonaws.com/embatch:0.1.0',
  role: 'arn:aws:iam::123456789012:role/embatch',
  instanceType: 'ml.c7i.4xlarge',
  volumeGb: 30,
  subnets: [],
  securityGroups: [],
  tags: ['team=search'],
  timeout: 3_600_000,
};

async function engineFor(t: TestContext, environment: Readonly<Record<string, string>>): Promise<Engine> {
  const engine = await createSageMakerEngine(options, { log: recordingLogger(), environment });
  t.after(() => engine.close());
  return engine;
}

async function setUp(t: TestContext, settings: { readonly quota?: number } = {}) {
  const server = await SageMakerServer.start(settings);
  t.after(() => server.close());
  return { server, engine: await engineFor(t, server.environment) };
}

const failure = (code: ErrorCode, message: RegExp) => (error: unknown) => {
  assert.ok(isEmbatchError(error, code), String(error));
  assert.match(error.message, message);
  assert.doesNotMatch(error.message, /\n/);
  return true;
};

const refuse = (type: string, message: string, status = 400): SageMakerFault => ({
  kind: 'refuse',
  status,
  type,
  message,
});

test('what is printed is what is sent, and the answer is the ARN', async (t) => {
  const { server, engine } = await setUp(t);
  const handle = await engine.submit(fleet);
  assert.equal(handle, server.job(fleet.name).arn);
  assert.deepEqual(
    server.seen.map(({ operation, input }) => ({ call: operation, body: input })),
    engine.requests(fleet),
  );
});

test('what SageMaker would refuse is not sent', async (t) => {
  const { server, engine } = await setUp(t);
  await assert.rejects(engine.submit({ ...fleet, shards: 101 }), failure('USAGE', /--shards is 101/));
  assert.deepEqual(server.seen, []);
});

test('a second fleet of the same name is refused and not doubled, also after the first has ended', async (t) => {
  const { server, engine } = await setUp(t);
  await engine.submit(fleet);
  const inUse = failure('USAGE', /SageMaker in eu-central-1 has a processing job "embatch-docs-a1" already/);
  await assert.rejects(engine.submit(fleet), inUse);
  server.job(fleet.name).finish('Completed');
  await assert.rejects(engine.submit(fleet), inUse);
  assert.equal(server.jobs.size, 1);
});

test('a quota is named', async (t) => {
  const { engine } = await setUp(t, { quota: 2 });
  await assert.rejects(
    engine.submit(fleet),
    failure(
      'USAGE',
      /too little of the quota "ml.c7i.4xlarge for processing job usage": .* Ask for more in Service Quotas/,
    ),
  );
});

describe('what the service answers is told as what a person must change, or as what may pass', () => {
  const passRole =
    'User: arn:aws:iam::123456789012:user/me is not authorized to perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/embatch';
  for (const [name, fault, code, message] of [
    [
      'a role that may not be passed',
      refuse('AccessDeniedException', passRole),
      'USAGE',
      /need iam:PassRole on the role/,
    ],
    [
      'an action that is not allowed',
      refuse(
        'AccessDeniedException',
        'User: x is not authorized to perform: sagemaker:AddTags on resource: y',
      ),
      'USAGE',
      /need the right to sagemaker:AddTags/,
    ],
    [
      'credentials that have expired',
      refuse('ExpiredTokenException', 'The security token expired'),
      'USAGE',
      /log in again/,
    ],
    [
      'a request that is not understood',
      refuse('ValidationException', 'Could not assume role arn:aws:iam::123456789012:role/embatch'),
      'USAGE',
      /did not take the processing job "embatch-docs-a1": Could not assume role/,
    ],
  ] as const) {
    test(name, async (t) => {
      const { server, engine } = await setUp(t);
      server.next(fault);
      await assert.rejects(engine.submit(fleet), failure(code, message));
      assert.equal(server.jobs.size, 0);
    });
  }

  for (const status of [429, 500]) {
    test(`a service that answers ${status} for long`, async (t) => {
      const { server, engine } = await setUp(t);
      server.next(...Array<SageMakerFault>(20).fill(refuse('Sorry', 'we are sorry', status)));
      await assert.rejects(engine.submit(fleet), failure('ENGINE', /we are sorry. Try again later/));
    });
  }

  test('throttling that passes', async (t) => {
    const { server, engine } = await setUp(t);
    server.next(refuse('ThrottlingException', 'Rate exceeded'), refuse('ServiceUnavailable', 'busy', 503));
    await engine.submit(fleet);
    assert.equal(server.jobs.size, 1);
  });

  test('nobody there', async (t) => {
    const { server, engine } = await setUp(t);
    await server.close();
    await assert.rejects(
      engine.submit(fleet),
      failure('ENGINE', /ECONNREFUSED.* Check AWS_REGION, the endpoint/),
    );
    await assert.rejects(engine.state(ref), failure('ENGINE', /ECONNREFUSED/));
  });

  test('no credentials, and unknown ones', async (t) => {
    const { server } = await setUp(t);
    const { AWS_ENDPOINT_URL_SAGEMAKER = '' } = server.environment;
    const without = await engineFor(t, { AWS_ENDPOINT_URL_SAGEMAKER, AWS_REGION: 'eu-central-1' });
    for (const name of Object.keys(process.env).filter((key) => key.startsWith('AWS_')))
      Reflect.deleteProperty(process.env, name);
    Object.assign(process.env, {
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    });
    await assert.rejects(
      without.submit(fleet),
      failure('USAGE', /Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE/),
    );
    const unknown = await engineFor(t, { ...server.environment, AWS_ACCESS_KEY_ID: 'somebody' });
    await assert.rejects(
      unknown.submit(fleet),
      failure('USAGE', /security token .* is invalid. Set AWS_ACCESS_KEY_ID/),
    );
  });

  test('no region', async (t) => {
    const { server } = await setUp(t);
    const { AWS_REGION: _, ...environment } = server.environment;
    const engine = await engineFor(t, environment);
    assert.equal(engine.place, 'SageMaker');
    assert.equal(engine.requests(fleet).length, 1);
    await assert.rejects(engine.submit(fleet), failure('USAGE', /Set AWS_REGION/));
  });

  test('an endpoint that is no URL', async () => {
    await assert.rejects(
      createSageMakerEngine(options, {
        log: recordingLogger(),
        environment: { AWS_ENDPOINT_URL_SAGEMAKER: 'localhost:1' },
      }),
      failure('USAGE', /AWS_ENDPOINT_URL_SAGEMAKER must be a URL/),
    );
  });
});

describe('a request whose answer got lost is sent again', () => {
  test('and the job that it made is known as our own', async (t) => {
    const { server, engine } = await setUp(t);
    server.next({ kind: 'lose-answer' });
    assert.equal(await engine.submit(fleet), server.job(fleet.name).arn);
    assert.deepEqual(
      server.seen.map(({ operation }) => operation),
      ['CreateProcessingJob', 'CreateProcessingJob', 'DescribeProcessingJob'],
    );
  });

  test('and a job of others with that name is not', async (t) => {
    const { server, engine } = await setUp(t);
    await engine.submit({ ...fleet, environment: { EMBATCH_SOURCE: 's3://other' } });
    server.next(refuse('InternalFailure', 'we are sorry', 500));
    await assert.rejects(engine.submit(fleet), failure('USAGE', /already/));
  });
});

test('a signal ends what is under way with its reason', async (t) => {
  const { engine } = await setUp(t);
  const reason = new Error('stopped');
  for (const call of [
    engine.submit(fleet, { signal: AbortSignal.abort(reason) }),
    engine.state(ref, { signal: AbortSignal.abort(reason) }),
  ])
    await assert.rejects(call, reason);
});

describe('the state of a job', () => {
  test('that is not there', async (t) => {
    const { server, engine } = await setUp(t);
    assert.equal(await engine.state(ref), undefined);
    server.next(refuse('ResourceNotFound', 'RecordNotFound'));
    assert.equal(await engine.state(ref), undefined);
  });

  test('from waiting to its end', async (t) => {
    const { server, engine } = await setUp(t);
    await engine.submit(fleet);
    const job = server.job(fleet.name);
    assert.deepEqual(await engine.state(ref), { phase: 'waiting', reason: undefined, shards: [] });
    job.started = new Date();
    assert.deepEqual(await engine.state(ref), { phase: 'running', reason: undefined, shards: [] });
    job.status = 'Stopping';
    assert.deepEqual(await engine.state(ref), { phase: 'running', reason: 'stopping', shards: [] });
    job.finish('Stopped');
    assert.deepEqual(await engine.state(ref), { phase: 'stopped', reason: undefined, shards: [] });
  });

  test('that SageMaker stopped because its time was over is no stop of somebody’s, and no success', async (t) => {
    const { server, engine } = await setUp(t);
    await engine.submit(fleet);
    server.job(fleet.name).expire();
    const state = await engine.state(ref);
    assert.equal(state?.phase, 'failed');
    assert.match(state.reason ?? '', /ended after its longest time of 3600 s \(--timeout\)/);
  });

  test('with what its shards said', async (t) => {
    const { server, engine } = await setUp(t);
    await engine.submit(fleet);
    server.job(fleet.name).finish('Failed', {
      failureReason: 'AlgorithmError: exit code: 23',
      exitMessage:
        'shard 2 of 3: exit 20, partial: 1 object failed.\nshard 0 of 3: exit 0, complete: 4 objects' +
        'shard 1 of 3: exit 23, failed: the disk is fu',
    });
    const state = await engine.state(ref);
    assert.equal(state?.phase, 'failed');
    assert.match(state.reason ?? '', /^AlgorithmError: exit code: 23; shard 2 of 3: exit 20/);
    assert.deepEqual(state.shards, [
      { index: 0, exitCode: 0, phase: 'succeeded', reason: 'complete: 4 objects' },
      { index: 1, exitCode: 23, phase: 'failed', reason: 'failed: the disk is fu' },
      { index: 2, exitCode: 20, phase: 'succeeded', reason: 'partial: 1 object failed.' },
    ]);
  });

  test('whose messages were cut within a number says nothing of that shard', async (t) => {
    const { server, engine } = await setUp(t);
    await engine.submit(fleet);
    server
      .job(fleet.name)
      .finish('Stopped', { exitMessage: 'shard 0 of 3: exit 130, stopped\nshard 1 of 3: exit 13' });
    const state = await engine.state(ref);
    assert.deepEqual(
      state?.shards.map(({ index, phase }) => [index, phase]),
      [[0, 'stopped']],
    );
  });

  test('that succeeded has no reason', async (t) => {
    const { server, engine } = await setUp(t);
    await engine.submit(fleet);
    server.job(fleet.name).finish('Completed', { exitMessage: 'shard 0 of 3: exit 0, complete: 1 object\n' });
    const state = await engine.state(ref);
    assert.deepEqual([state?.phase, state?.reason, state?.shards.length], ['succeeded', undefined, 1]);
  });
});

describe('stopping', () => {
  test('is asked for once, and any time after', async (t) => {
    const { server, engine } = await setUp(t);
    await engine.stop(ref);
    await engine.submit(fleet);
    const job = server.job(fleet.name);
    await engine.stop(ref);
    assert.equal(job.status, 'Stopped');
    await engine.stop(ref);
    job.status = 'Stopping';
    await engine.stop(ref);
  });

  test('that is not allowed is told', async (t) => {
    const { server, engine } = await setUp(t);
    await engine.submit(fleet);
    const words = 'User: x is not authorized to perform: sagemaker:StopProcessingJob on resource: y';
    server.next(refuse('AccessDeniedException', words));
    await assert.rejects(
      engine.stop(ref),
      failure('USAGE', /did not stop .*need the right to sagemaker:StopProcessingJob/),
    );
    assert.equal(server.job(fleet.name).status, 'InProgress');
  });
});

test('the logs are those whose streams begin with the job’s name', async (t) => {
  const { engine } = await setUp(t);
  assert.equal(
    engine.logsOf(ref),
    'aws logs tail /aws/sagemaker/ProcessingJobs --log-stream-name-prefix embatch-docs-a1/ --follow --region eu-central-1',
  );
});
