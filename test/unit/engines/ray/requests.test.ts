import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_FLEET_NAME, type Fleet } from '#embatch/engines/engine.js';
import { readConfig, type RayOptions } from '#embatch/engines/ray/config.js';
import { jobRequests, printedRequests, refusesValue } from '#embatch/engines/ray/requests.js';

const given: RayOptions = {
  address: 'http://127.0.0.1:8265/',
  entrypoint: undefined,
  cpu: undefined,
  memory: undefined,
};
const config = (changes: Partial<RayOptions> = {}, environment: Record<string, string> = {}) =>
  readConfig({ ...given, ...changes }, environment);

const fleet = (changes: Partial<Fleet> = {}): Fleet => ({
  name: 'embatch-docs-0a1b2c3d-a1',
  shards: 2,
  arguments: ['run'],
  environment: { EMBATCH_SHARDS: '2', EMBATCH_SOURCE: 's3://bucket/docs' },
  labels: { source: 's3://bucket/docs', sink: 'opensearch://host/docs', state: 's3://bucket/state' },
  ...changes,
});

test('each shard is a job with its number, and takes no more CPUs than it asks for', async () => {
  const [first, second, ...more] = printedRequests(fleet(), await config());
  assert.deepEqual(more, []);
  assert.deepEqual(first, {
    call: 'POST http://127.0.0.1:8265/api/jobs/',
    body: {
      submission_id: 'embatch-docs-0a1b2c3d-a1-s0',
      entrypoint: 'exec embatch run',
      entrypoint_num_cpus: 1,
      metadata: {
        started_by: 'embatch submit',
        fleet: 'embatch-docs-0a1b2c3d-a1',
        shard: '0 of 2',
        source: 's3://bucket/docs',
        sink: 'opensearch://host/docs',
        state: 's3://bucket/state',
      },
      runtime_env: {
        env_vars: {
          EMBATCH_WORKERS: '1',
          EMBATCH_SHARDS: '2',
          EMBATCH_SOURCE: 's3://bucket/docs',
          EMBATCH_SHARD: '0',
          RAY_JOB_STOP_WAIT_TIME_S: '10',
        },
      },
    },
  });
  assert.equal(second?.body['submission_id'], 'embatch-docs-0a1b2c3d-a1-s1');
});

test('CPUs and memory are asked for in the units of Ray', async () => {
  const [job] = jobRequests(
    fleet(),
    await config({ cpu: '2.5', memory: '4GiB', entrypoint: 'node /x/main.js' }),
  );
  assert.equal(job?.['entrypoint'], 'exec node /x/main.js run');
  assert.equal(job['entrypoint_num_cpus'], 2.5);
  assert.equal(job['entrypoint_memory'], 4 * 2 ** 30);
  const variables = (job['runtime_env'] as { env_vars: Record<string, string> }).env_vars;
  assert.equal(variables['EMBATCH_WORKERS'], '2');
});

test('all metadata and variables are texts, and every id can be the name of a file', async () => {
  const longest = fleet({ name: 'e'.repeat(MAX_FLEET_NAME), shards: 100 });
  for (const job of jobRequests(longest, await config())) {
    assert.match(job.submission_id, /^[A-Za-z0-9_-]{1,100}$/);
    const { env_vars } = job['runtime_env'] as { env_vars: Record<string, unknown> };
    for (const value of [
      ...Object.values(env_vars),
      ...Object.values(job['metadata'] as Record<string, unknown>),
    ]) {
      assert.equal(typeof value, 'string');
    }
  }
});

test('a value with a $ would not arrive as it is', async () => {
  assert.match(refusesValue('a$b') ?? '', /\$/);
  assert.equal(refusesValue('a "b" \\ `c` \n'), undefined);
  const settings = await config();
  assert.throws(() => jobRequests(fleet({ environment: { EMBATCH_EXCLUDE: '*.$x' } }), settings), {
    code: 'USAGE',
    message: /EMBATCH_EXCLUDE .*\$.*--config/,
  });
});

test('more shards than a cluster is asked to watch are refused', async () => {
  const settings = await config();
  assert.throws(() => jobRequests(fleet({ shards: 101 }), settings), {
    code: 'USAGE',
    message: /at most 100/,
  });
});

test('the token is looked for where the tools of Ray do', async () => {
  assert.equal((await config({}, { RAY_AUTH_TOKEN: ' one ' })).token, 'one');
  assert.equal((await config({}, { RAY_AUTH_TOKEN: '' })).token, undefined);
  assert.equal((await config()).token, undefined);
});

test('the address is that of the option, else of the variable', async () => {
  assert.equal(
    (await config({ address: 'https://ray.example.com/team/' })).address,
    'https://ray.example.com/team',
  );
  const environment = { RAY_API_SERVER_ADDRESS: 'http://10.0.0.1:8265' };
  assert.equal((await config({ address: undefined }, environment)).address, 'http://10.0.0.1:8265');
  assert.equal((await config({}, environment)).address, 'http://127.0.0.1:8265');
});

const refused: readonly (readonly [string, Partial<RayOptions>, Record<string, string>, RegExp])[] = [
  ['no address', { address: undefined }, {}, /--address is missing.*RAY_API_SERVER_ADDRESS/],
  ['the address of a Ray client', { address: 'ray://head:10001' }, {}, /no http:\/\/ or https:\/\/ address/],
  ['a host and a port', { address: 'head:6379' }, {}, /no http:\/\/ or https:\/\/ address/],
  ['auto', { address: 'auto' }, {}, /no http:\/\/ or https:\/\/ address/],
  ['a user in the address', { address: 'http://me:secret@head:8265' }, {}, /--address has a user in it/],
  ['a query', { address: 'http://head:8265/?a=b' }, {}, /leave out what begins with \?/],
  ['no CPU', { cpu: '0' }, {}, /--cpu is "0"/],
  ['thousandths of a CPU', { cpu: '500m' }, {}, /--cpu is "500m"/],
  ['memory without a size', { memory: 'much' }, {}, /--memory is "much"/],
  ['an entry point of two lines', { entrypoint: 'a\nb' }, {}, /--entrypoint must be one line/],
  ['a time limit', { timeout: 60_000 }, {}, /--timeout/],
  ['a token that is none', {}, { RAY_AUTH_TOKEN: 'a b' }, /RAY_AUTH_TOKEN holds no token/],
  ['a file without a token', {}, { RAY_AUTH_TOKEN_PATH: '/no/such/file' }, /\/no\/such\/file cannot be read/],
  [
    'a token that must be there',
    {},
    { RAY_AUTH_MODE: 'token', HOME: '/no/such' },
    /\.ray\/auth_token cannot be read/,
  ],
];

for (const [what, options, environment, message] of refused) {
  test(`is refused: ${what}`, async () => {
    await assert.rejects(config(options, environment), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'USAGE');
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  });
}
