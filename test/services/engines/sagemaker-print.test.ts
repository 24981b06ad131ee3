/** The example is what the manual says it is, and sends what the manual shows. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { createS3Client } from '#embatch/core/s3.js';
import { cli, projectRoot } from '../../support/paths.js';
import { s3Environment } from '../../support/run-cli.js';
import { violations } from '../../support/sagemaker/model.js';
import { SageMakerServer } from '../../support/sagemaker/server.js';
import { skipWithoutS3 } from '../../support/services.js';

const example = join(projectRoot, 'examples/sagemaker');

/** Whatever the example's names are taken to be elsewhere, here they are the test server's. */
async function printed(environment: Readonly<Record<string, string>>): Promise<string> {
  const { PATH = '' } = process.env;
  const child = spawn('sh', [join(example, 'submit.sh'), '--print', '--no-wait'], {
    env: { PATH, HOME: '/tmp', ...s3Environment(), ...environment, EMBATCH: `${process.execPath} ${cli}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(code, 0, stderr);
  return stdout;
}

test(
  'the manual shows what the example sends, and SageMaker would take it',
  { skip: skipWithoutS3 },
  async (t) => {
    const client = await createS3Client();
    t.after(() => {
      client.destroy();
    });
    // The name is in the job's own name; another run of this test may have made it.
    await client.send(new CreateBucketCommand({ Bucket: 'my-bucket' })).catch(() => undefined);
    const server = await SageMakerServer.start();
    t.after(() => server.close());
    const request = JSON.parse(await printed(server.environment)) as { Environment: Record<string, string> };
    assert.deepEqual(violations('CreateProcessingJob', request), []);
    assert.ok(server.seen.every(({ operation }) => operation === 'DescribeProcessingJob'));
    // Where the test server is, is nothing for a manual.
    delete request.Environment['AWS_ENDPOINT_URL_S3'];
    const page = await readFile(join(projectRoot, 'docs/submit-sagemaker.md'), 'utf8');
    const shown = /```json\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    assert.deepEqual(JSON.parse(shown), request);
  },
);

test('the policies of the example are JSON with one statement for each purpose', async () => {
  for (const name of ['role-trust', 'role-policy', 'caller-policy']) {
    const policy = JSON.parse(await readFile(join(example, `${name}.json`), 'utf8')) as {
      Version: string;
      Statement: { Effect: string; Action: unknown }[];
    };
    assert.equal(policy.Version, '2012-10-17');
    assert.ok(policy.Statement.every(({ Effect, Action }) => Effect === 'Allow' && Action !== '*'));
  }
});
