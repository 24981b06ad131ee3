import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exitCodes } from '#embatch/core/exit-codes.js';
import { readConfig, type AwsBatchOptions } from '#embatch/engines/aws-batch/config.js';
import { printedRequests, submitJobRequest } from '#embatch/engines/aws-batch/requests.js';
import { MAX_FLEET_NAME, type Fleet } from '#embatch/engines/engine.js';
import { registerJobDefinitionLimits, submitJobLimits } from '../../../support/batch-limits.js';

const given: AwsBatchOptions = {
  queue: 'docs',
  jobDefinition: undefined,
  image: '123456789012.dkr.ecr.eu-central-1.amazonaws.com/embatch:1',
  role: undefined,
  cpu: undefined,
  memory: undefined,
  retries: 3,
  timeout: undefined,
  tags: [],
};
const config = (changes: Partial<AwsBatchOptions> = {}) => readConfig({ ...given, ...changes });
const byHand = { image: undefined, jobDefinition: 'embatch-by-hand:4' };

const fleet = (changes: Partial<Fleet> = {}): Fleet => ({
  name: 'embatch-docs-0a1b2c3d-a1',
  shards: 4,
  arguments: ['run'],
  environment: { EMBATCH_SHARDS: '4', EMBATCH_SOURCE: 's3://bucket/docs' },
  labels: { source: 's3://bucket/docs', sink: 'opensearch://host/docs', state: 's3://bucket/state' },
  ...changes,
});

const fleets: readonly (readonly [string, Fleet, Partial<AwsBatchOptions>])[] = [
  ['four shards', fleet(), {}],
  ['one shard', fleet({ shards: 1 }), {}],
  ['two shards', fleet({ shards: 2 }), {}],
  ['the most shards', fleet({ shards: 10_000 }), {}],
  ['the longest name', fleet({ name: 'e'.repeat(MAX_FLEET_NAME) }), {}],
  ['a definition of the user', fleet(), byHand],
  ['a definition of the user, resized', fleet(), { ...byHand, cpu: '0.5', memory: '1GiB' }],
  ['the most attempts', fleet(), { retries: 9 }],
  ['one attempt', fleet(), { retries: 0 }],
  ['a role and a timeout', fleet(), { role: 'arn:aws:iam::123456789012:role/x', timeout: 60_001 }],
  [
    'labels that a tag cannot hold',
    fleet({ labels: { source: `s3://b/${'ü!*'.repeat(200)}`, sink: '', state: '#' } }),
    {},
  ],
  ['the most tags', fleet(), { tags: Array.from({ length: 47 }, (_, index) => `key${index}=value`) }],
];

for (const [what, of, options] of fleets) {
  test(`AWS Batch accepts the request: ${what}`, () => {
    const requests = printedRequests(of, config(options));
    const submit = requests.at(-1);
    assert.equal(submit?.call, 'SubmitJob');
    assert.deepEqual(submitJobLimits.parse(submit.body), submit.body);
    if (options.jobDefinition !== undefined) assert.equal(requests.length, 1);
    else {
      const register = registerJobDefinitionLimits.parse(requests[0]?.body);
      assert.equal(register.jobDefinitionName, submit.body['jobDefinition']);
    }
  });
}

test('the seconds of a timeout are rounded up', () => {
  assert.deepEqual(submitJobRequest(fleet(), config({ timeout: 60_001 })).timeout, {
    attemptDurationSeconds: 61,
  });
});

test('an array tells its children which they are, a plain job has to be told', () => {
  const shard = (shards: number) =>
    submitJobRequest(fleet({ shards }), config()).containerOverrides?.environment?.find(
      ({ name }) => name === 'EMBATCH_SHARD',
    )?.value;
  assert.deepEqual([shard(1), shard(2)], ['0', undefined]);
});

test('a shard starts as many workers as it has vCPUs, unless it is told otherwise', () => {
  const workers = (options: Partial<AwsBatchOptions>, environment = {}) =>
    submitJobRequest(fleet({ environment }), config(options)).containerOverrides?.environment?.find(
      ({ name }) => name === 'EMBATCH_WORKERS',
    )?.value;
  assert.equal(workers({}), '4');
  assert.equal(workers({ cpu: '16' }), '16');
  assert.equal(workers({ ...byHand, cpu: '0.25' }), '1');
  assert.equal(workers(byHand), undefined);
  assert.equal(workers({}, { EMBATCH_WORKERS: '3' }), '3');
});

test('another image, role or size is another definition', () => {
  const names = [
    {},
    { image: 'embatch:2' },
    { role: 'arn:aws:iam::123456789012:role/x' },
    { cpu: '2' },
    { memory: '2GiB' },
  ].map((options) => submitJobRequest(fleet(), config(options)).jobDefinition);
  assert.equal(new Set(names).size, names.length);
  assert.equal(submitJobRequest(fleet(), config()).jobDefinition, names[0]);
});

/** As the API reference tells: the first entry that fits decides, and what fits none is tried again. */
function actionFor(ending: { exitCode?: number; statusReason?: string }): string {
  const fits = (pattern: string | undefined, text: string): boolean =>
    pattern === undefined ||
    (pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : text === pattern);
  const { evaluateOnExit = [] } = submitJobRequest(fleet(), config()).retryStrategy ?? {};
  const first = evaluateOnExit.find(
    ({ onExitCode, onStatusReason }) =>
      fits(onExitCode, String(ending.exitCode ?? '')) && fits(onStatusReason, ending.statusReason ?? ''),
  );
  return first?.action ?? 'RETRY';
}

test('what another attempt may mend is tried again, and nothing else', () => {
  const codes = Object.values(exitCodes).filter((code) => code !== exitCodes.ok);
  const final = [exitCodes.usage, exitCodes.model, exitCodes.deadLetters, 126, 127] as readonly number[];
  for (const exitCode of [...codes, 126, 127, 134, 137, 139]) {
    assert.equal(
      actionFor({ exitCode }),
      final.includes(exitCode) ? 'EXIT' : 'RETRY',
      `exit code ${exitCode}`,
    );
  }
  assert.equal(actionFor({ statusReason: 'Host EC2 (instance i-0123) terminated.' }), 'RETRY');
  assert.equal(actionFor({ exitCode: 2, statusReason: 'Host EC2 (instance i-0123) terminated.' }), 'RETRY');
});

const refused: readonly (readonly [string, () => unknown, RegExp])[] = [
  ['no queue', () => config({ queue: undefined }), /needs --queue/],
  ['neither image nor definition', () => config({ image: undefined }), /needs --image.* or --job-definition/],
  ['image and definition', () => config({ jobDefinition: 'x' }), /--image and --job-definition exclude/],
  [
    'role and definition',
    () => config({ ...byHand, role: 'arn:aws:iam::123456789012:role/x' }),
    /--role and --job-definition exclude/,
  ],
  ['an image of two words', () => config({ image: 'a b' }), /--image/],
  ['a role that is a name', () => config({ role: 'embatch' }), /--role must be an ARN .* not "embatch"/],
  ['thousandths of a CPU', () => config({ cpu: '500m' }), /--cpu is "500m"/],
  ['no CPU', () => config({ cpu: '0' }), /--cpu is "0"/],
  ['half a CPU in a definition of ours', () => config({ cpu: '0.5' }), /--cpu 0.5 is for Fargate/],
  ['a CPU and a half', () => config({ cpu: '1.5' }), /--cpu is "1.5"/],
  ['memory without a unit', () => config({ memory: '4' }), /--memory is "4"/],
  ['memory that is no size', () => config({ memory: 'much' }), /--memory is "much"/],
  ['a tag without a value', () => config({ tags: ['team'] }), /--tags takes key=value, not "team"/],
  ['a tag twice', () => config({ tags: ['a=1', 'a=2'] }), /--tags names a twice/],
  ["a tag of Amazon's own", () => config({ tags: ['aws:x=1'] }), /begin with aws:/],
  ['a tag with a star', () => config({ tags: ['a=*'] }), /--tags "a=\*"/],
  ['a long tag', () => config({ tags: [`a=${'b'.repeat(257)}`] }), /at most 128 .* 256.* 1 and 257/],
  [
    'too many tags',
    () => config({ tags: Array.from({ length: 48 }, (_, index) => `key${index}=`) }),
    /--tags names 48/,
  ],
  ['10,001 children', () => submitJobRequest(fleet({ shards: 10_001 }), config()), /at most 10000/],
  [
    'a reserved variable',
    () => submitJobRequest(fleet({ environment: { AWS_BATCH_X: '1' } }), config()),
    /AWS_BATCH_X/,
  ],
  [
    'a request that is too long',
    () => submitJobRequest(fleet({ environment: { EMBATCH_INCLUDE: 'x'.repeat(30_600) } }), config()),
    /3\d{4} bytes .* at most 30720.*--config/,
  ],
];

for (const [what, make, message] of refused) {
  test(`is refused before anything is sent: ${what}`, () => {
    assert.throws(make, { code: 'USAGE', message });
  });
}
