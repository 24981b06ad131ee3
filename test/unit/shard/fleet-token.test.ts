import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fleetToken } from '#embatch/shard/fleet-token.js';

for (const [what, env, host, expected] of [
  ['nobody tells', {}, 'laptop', undefined],
  ['a pod of an Indexed Job', { JOB_COMPLETION_INDEX: '3' }, 'nightly-2890-3', 'job=nightly-2890'],
  ['a pod that is called otherwise', { JOB_COMPLETION_INDEX: '3' }, 'something', undefined],
  ['a child of an array job', { AWS_BATCH_JOB_ID: 'a1-b2:7' }, 'h', 'AWS_BATCH_JOB_ID=a1-b2'],
  ['a GitHub workflow', { GITHUB_RUN_ID: '42' }, 'h', 'GITHUB_RUN_ID=42'],
  ['a GitLab pipeline', { CI_PIPELINE_ID: '43', GITHUB_RUN_ID: '' }, 'h', 'CI_PIPELINE_ID=43'],
] as const) {
  test(`which start a process belongs to, ${what}: ${String(expected)}`, () => {
    assert.equal(fleetToken(env, host), expected);
  });
}
