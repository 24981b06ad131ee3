import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { s3StorageOptions } from '#embatch/sinks/lancedb/config.js';

describe('LanceDB storage options from the environment', () => {
  const cases: readonly (readonly [string, Record<string, string>, Record<string, string>])[] = [
    ['nothing set leaves all to the chain of the provider', {}, {}],
    [
      'keys and region',
      {
        AWS_ACCESS_KEY_ID: 'k',
        AWS_SECRET_ACCESS_KEY: 's',
        AWS_SESSION_TOKEN: 't',
        AWS_DEFAULT_REGION: 'eu',
      },
      { accessKeyId: 'k', secretAccessKey: 's', sessionToken: 't', region: 'eu' },
    ],
    [
      'an endpoint without TLS',
      { AWS_ENDPOINT_URL_S3: 'http://h:1', AWS_ENDPOINT_URL: 'http://other', AWS_REGION: 'r' },
      { endpoint: 'http://h:1', allowHttp: 'true', virtualHostedStyleRequest: 'false', region: 'r' },
    ],
    [
      'an endpoint with TLS',
      { AWS_ENDPOINT_URL: 'https://h' },
      { endpoint: 'https://h', virtualHostedStyleRequest: 'false' },
    ],
    ['empty values count as not set', { AWS_SESSION_TOKEN: '', AWS_REGION: '' }, {}],
  ];
  for (const [name, env, expected] of cases) {
    it(name, () => assert.deepEqual(s3StorageOptions(env), expected));
  }
});
