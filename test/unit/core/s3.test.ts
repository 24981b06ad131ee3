import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { afterEach, test } from 'node:test';
import { EmbatchError } from '#embatch/core/errors.js';
import { createS3Client, parseS3Uri } from '#embatch/core/s3.js';

const environment = { ...process.env };
afterEach(() => {
  for (const name of Object.keys(process.env).filter((key) => key.startsWith('AWS_'))) {
    const former = environment[name];
    if (former === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = former;
  }
});

for (const [uri, expected] of [
  ['s3://b', { bucket: 'b', prefix: '' }],
  ['s3://b/', { bucket: 'b', prefix: '' }],
  ['s3://b/a b/%20+\n', { bucket: 'b', prefix: 'a b/%20+\n' }],
  ['s3://b//a', { bucket: 'b', prefix: '/a' }],
  ['s3://', undefined],
  ['s3:///a', undefined],
  ['./s3', undefined],
] as const) {
  test(`${JSON.stringify(uri)} is ${JSON.stringify(expected) || 'no S3 URI'}`, () => {
    assert.deepEqual(parseS3Uri(uri), expected);
  });
}

for (const [name, value, message] of [
  ['AWS_ENDPOINT_URL_S3', 'localhost:9000', /AWS_ENDPOINT_URL_S3 must be a URL .*"localhost:9000"/],
  ['AWS_CA_BUNDLE', 'no/such/bundle.pem', /AWS_CA_BUNDLE names a file that cannot be read: ENOENT/],
] as const) {
  test(`${name}=${value} is refused in words`, async () => {
    // Over plain HTTP no certificates are read.
    Reflect.deleteProperty(process.env, 'AWS_ENDPOINT_URL_S3');
    process.env[name] = value;
    await assert.rejects(
      createS3Client(),
      (error) => error instanceof EmbatchError && error.code === 'USAGE' && message.test(error.message),
    );
  });
}

for (const [described, variables, region] of [
  ['AWS_REGION', { AWS_REGION: 'eu-west-1', AWS_DEFAULT_REGION: 'eu-west-2' }, 'eu-west-1'],
  ['AWS_DEFAULT_REGION', { AWS_DEFAULT_REGION: 'eu-west-2' }, 'eu-west-2'],
  ['the profile', { AWS_PROFILE: 'south' }, 'sa-east-1'],
  ['us-east-1 where nothing is configured', {}, 'us-east-1'],
] as const) {
  test(`the region comes from ${described}`, async () => {
    for (const name of ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_PROFILE'])
      Reflect.deleteProperty(process.env, name);
    process.env['AWS_CONFIG_FILE'] = fileURLToPath(
      new URL('../../../../test/data/s3/profiles.ini', import.meta.url),
    );
    Object.assign(process.env, variables);
    const client = await createS3Client();
    assert.equal(await client.config.region(), region);
    client.destroy();
  });
}
