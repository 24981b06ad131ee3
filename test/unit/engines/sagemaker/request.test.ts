import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createSageMakerEngine } from '#embatch/engines/sagemaker/engine.js';
import { isEmbatchError } from '#embatch/core/errors.js';
import type { Fleet } from '#embatch/engines/engine.js';
import type { SageMakerOptions } from '#embatch/engines/sagemaker/config.js';
import { recordingLogger } from '../../../support/recording-logger.js';
import { operations, violations } from '../../../support/sagemaker/model.js';

const options: SageMakerOptions = {
  image: '123456789012.dkr.ecr.eu-central-1.amazonaws.com/embatch:0.1.0',
  role: 'arn:aws:iam::123456789012:role/embatch',
  instanceType: 'ml.c7i.4xlarge',
  volumeGb: 30,
  subnets: [],
  securityGroups: [],
  tags: [],
  timeout: undefined,
};
const fleet: Fleet = {
  name: 'embatch-docs-1a2b3c-a1',
  shards: 3,
  arguments: ['run'],
  environment: { EMBATCH_SOURCE: 's3://bucket/docs', EMBATCH_SHARDS: '3' },
  labels: { source: 's3://bucket/docs', sink: 'opensearch://host:9200/docs', state: 's3://bucket/state' },
};

async function requestOf(more: Partial<SageMakerOptions> = {}, other: Partial<Fleet> = {}) {
  const log = recordingLogger();
  const engine = await createSageMakerEngine(
    { ...options, ...more },
    { log, environment: { AWS_REGION: 'eu-central-1' } },
  );
  const [request, ...rest] = engine.requests({ ...fleet, ...other });
  await engine.close();
  assert.deepEqual(rest, []);
  assert.equal(request?.call, 'CreateProcessingJob');
  return request.body;
}

test('one job has an instance for each shard, the options as variables, and its source declared but not copied', async () => {
  const body = await requestOf();
  assert.deepEqual(body, {
    ProcessingJobName: 'embatch-docs-1a2b3c-a1',
    RoleArn: 'arn:aws:iam::123456789012:role/embatch',
    AppSpecification: { ImageUri: options.image, ContainerArguments: ['run'] },
    Environment: { EMBATCH_SOURCE: 's3://bucket/docs', EMBATCH_SHARDS: '3' },
    ProcessingResources: {
      ClusterConfig: { InstanceCount: 3, InstanceType: 'ml.c7i.4xlarge', VolumeSizeInGB: 30 },
    },
    ProcessingInputs: [
      {
        InputName: 'source',
        AppManaged: true,
        S3Input: { S3Uri: 's3://bucket/docs', S3DataType: 'S3Prefix' },
      },
    ],
  });
  assert.deepEqual(violations('CreateProcessingJob', body), []);
});

test('VPC, tags and the longest time are in the request where they are given', async () => {
  const body = await requestOf({
    subnets: ['subnet-1', 'subnet-2'],
    securityGroups: ['sg-1'],
    tags: ['team=search', 'note=a=b c', 'empty='],
    timeout: 7_200_500,
  });
  assert.deepEqual(body['NetworkConfig'], {
    VpcConfig: { SecurityGroupIds: ['sg-1'], Subnets: ['subnet-1', 'subnet-2'] },
  });
  assert.deepEqual(body['Tags'], [
    { Key: 'team', Value: 'search' },
    { Key: 'note', Value: 'a=b c' },
    { Key: 'empty', Value: '' },
  ]);
  assert.deepEqual(body['StoppingCondition'], { MaxRuntimeInSeconds: 7201 });
  assert.deepEqual(violations('CreateProcessingJob', body), []);
});

test('a source that is not in S3 is not declared', async () => {
  for (const source of ['/data/docs', 'manifest:s3://bucket/keys.txt', `s3://bucket/${'x'.repeat(1024)}`]) {
    const body = await requestOf({}, { labels: { ...fleet.labels, source } });
    assert.equal(body['ProcessingInputs'], undefined);
    assert.deepEqual(violations('CreateProcessingJob', body), []);
  }
});

describe('the largest that SageMaker takes is taken, one more is refused before anything is sent', () => {
  const many = (count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`EMBATCH_${i}`, 'x']));
  const tags = (count: number) => Array.from({ length: count }, (_, i) => `k${i}=v`);
  const ids = (count: number) => Array.from({ length: count }, (_, i) => `id-${i}`);
  for (const [name, good, bad, message] of [
    [
      'shards',
      { fleet: { shards: 100 } },
      { fleet: { shards: 101 } },
      /--shards is 101; .* 1 to 100 instances/,
    ],
    ['no shards', { fleet: { shards: 1 } }, { fleet: { shards: 0 } }, /--shards is 0/],
    [
      'a name',
      { fleet: { name: 'a'.repeat(63) } },
      { fleet: { name: 'a'.repeat(64) } },
      /at most 63 characters/,
    ],
    ['letters of a name', { fleet: { name: 'a--b' } }, { fleet: { name: 'a_b' } }, /not "a_b"/],
    ['the end of a name', { fleet: { name: 'a-b' } }, { fleet: { name: 'ab-' } }, /not "ab-"/],
    [
      'a value',
      { fleet: { environment: { EMBATCH_INCLUDE: 'x'.repeat(256) } } },
      { fleet: { environment: { EMBATCH_INCLUDE: 'x'.repeat(257) } } },
      /EMBATCH_INCLUDE is longer than the 256 characters .* it has 257/,
    ],
    [
      'variables',
      { fleet: { environment: many(100) } },
      { fleet: { environment: many(101) } },
      /101 variables/,
    ],
    [
      'an argument',
      { fleet: { arguments: ['x'.repeat(256)] } },
      { fleet: { arguments: ['x'.repeat(257)] } },
      /256 characters each/,
    ],
    [
      'lines of an argument',
      { fleet: { arguments: ['a b'] } },
      { fleet: { arguments: ['a\nb'] } },
      /one line/,
    ],
    ['an image', { image: 'x'.repeat(255) }, { image: 'x'.repeat(256) }, /--image has 256 characters/],
    ['tags', { tags: tags(50) }, { tags: tags(51) }, /--tags names 51/],
    ['a tag’s key', { tags: [`${'k'.repeat(128)}=v`] }, { tags: [`${'k'.repeat(129)}=v`] }, /at most 128/],
    ['a tag’s value', { tags: [`k=${'v'.repeat(256)}`] }, { tags: [`k=${'v'.repeat(257)}`] }, /value 256/],
    ['characters of a tag', { tags: ['käse=µ 1'] }, { tags: ['k=a;b'] }, /only letters/],
    ['keys of tags', { tags: ['a=1', 'b=1'] }, { tags: ['a=1', 'a=2'] }, /names a twice/],
    ['Amazon’s tags', { tags: ['aw:s=1'] }, { tags: ['aws:x=1'] }, /Amazon's own/],
    ['a tag without a value', { tags: ['a='] }, { tags: ['a'] }, /key=value, not "a"/],
    ['a time', { timeout: 777_600_000 }, { timeout: 777_601_000 }, /at most 777600 s/],
    [
      'subnets',
      { subnets: ids(16), securityGroups: ['sg-1'] },
      { subnets: ids(17), securityGroups: ['sg-1'] },
      /--subnets names 17/,
    ],
    [
      'security groups',
      { subnets: ['s-1'], securityGroups: ids(5) },
      { subnets: ['s-1'], securityGroups: ids(6) },
      /--security-groups names 6/,
    ],
    [
      'an id',
      { subnets: ['s'.repeat(32)], securityGroups: ['sg-1'] },
      { subnets: ['s'.repeat(33)], securityGroups: ['sg-1'] },
      /is no id/,
    ],
    [
      'subnets alone',
      { subnets: ['s-1'], securityGroups: ['sg-1'] },
      { subnets: ['s-1'] },
      /--subnets goes with --security-groups/,
    ],
    [
      'security groups alone',
      { subnets: ['s-1'], securityGroups: ['sg-1'] },
      { securityGroups: ['sg-1'] },
      /--security-groups goes with --subnets/,
    ],
    [
      'a role',
      { role: 'arn:aws-cn:iam::123456789012:role/path/of+it' },
      { role: 'arn:aws:iam::1234:role/x' },
      /--role must be an ARN .* not "arn:aws:iam::1234:role\/x"/,
    ],
    ['a role by name', {}, { role: 'embatch' }, /--role must be an ARN/],
    ['no role', {}, { role: undefined }, /needs --role/],
    ['no image', {}, { image: undefined }, /needs --image/],
    ['an instance type', { instanceType: 'ml.m5.large' }, { instanceType: 'c7i.large' }, /--instance-type/],
  ] as readonly Limit[]) {
    test(name, async () => {
      const { fleet: goodFleet, ...goodOptions } = good;
      assert.deepEqual(violations('CreateProcessingJob', await requestOf(goodOptions, goodFleet)), []);
      const { fleet: badFleet, ...badOptions } = bad;
      await assert.rejects(requestOf(badOptions, badFleet), (error: Error) => {
        assert.ok(isEmbatchError(error, 'USAGE'));
        assert.match(error.message, message);
        return true;
      });
    });
  }
});

type Case = Partial<SageMakerOptions> & { readonly fleet?: Partial<Fleet> };
type Limit = readonly [name: string, good: Case, bad: Case, message: RegExp];

test('a value that is too long for a variable is told apart', async () => {
  const log = recordingLogger();
  const engine = await createSageMakerEngine(options, { log, environment: {} });
  assert.equal(engine.refusesValue('x'.repeat(256)), undefined);
  assert.match(engine.refusesValue('x'.repeat(257)) ?? '', /256/);
  await engine.close();
});

test('the check against the service’s model finds what is wrong', () => {
  assert.deepEqual(operations, ['CreateProcessingJob', 'DescribeProcessingJob', 'StopProcessingJob']);
  const wrong = {
    ProcessingJobName: 'bad_name!',
    RoleArn: 'x',
    AppSpecification: {},
    Environment: { A: 'x'.repeat(300) },
    ProcessingResources: {
      ClusterConfig: { InstanceCount: 1000, InstanceType: 'ml.x', VolumeSizeInGB: 1.5 },
    },
    Other: 1,
  };
  assert.deepEqual(
    violations('CreateProcessingJob', wrong).map((text) => text.slice(0, 45)),
    [
      'ProcessingJobName is "bad_name!", which is no',
      'length of RoleArn is 1, less than 20',
      'RoleArn is "x", which is not of the pattern a',
      'AppSpecification.ImageUri is required',
      'length of Environment.A is 300, more than 256',
      'ProcessingResources.ClusterConfig.InstanceCou',
      'ProcessingResources.ClusterConfig.InstanceTyp',
      'ProcessingResources.ClusterConfig.VolumeSizeI',
      'Other is unknown',
    ],
  );
});
