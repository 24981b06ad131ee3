import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { projectRoot } from '../../support/paths.js';

const module = pathToFileURL(join(projectRoot, 'scripts/lib/environment.mjs')).href;
const { testEnvironment } = (await import(module)) as {
  testEnvironment: (surroundings: NodeJS.ProcessEnv, services: Record<string, string>) => NodeJS.ProcessEnv;
};

test("the user's own settings do not reach the tests", () => {
  const own = {
    EMBATCH_WORKERS: '1',
    AWS_PROFILE: 'production',
    AWS_SESSION_TOKEN: 'secret',
    AWS_ENDPOINT_URL: 'https://s3.example',
    OPENSEARCH_URL: 'https://search.example',
    CI_NODE_INDEX: '2',
    JOB_COMPLETION_INDEX: '3',
    RANK: '1',
    HF_TOKEN: 'secret',
  };
  const environment = testEnvironment({ ...own, PATH: '/bin', EMBATCH_TEST_S3_URL: 'http://s3' }, {});
  for (const [name, value] of Object.entries(own)) assert.notEqual(environment[name], value, name);
  assert.equal(environment['PATH'], '/bin');
  assert.equal(environment['EMBATCH_TEST_S3_URL'], 'http://s3');
});

test('the servers of the run take the place of what was there', () => {
  const environment = testEnvironment({ AWS_REGION: 'eu-west-1' }, { AWS_REGION: 'us-east-1' });
  assert.equal(environment['AWS_REGION'], 'us-east-1');
});
