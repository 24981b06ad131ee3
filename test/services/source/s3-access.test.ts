import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { isEmbatchError } from '#embatch/core/errors.js';
import { openSource } from '#embatch/source/open-source.js';
import { faultProxyDuringTests, startFaultProxy } from '../../support/fault-proxy.js';
import { projectRoot, testData } from '../../support/paths.js';
import { recordingLogger } from '../../support/recording-logger.js';
import { testBucketDuringTests } from '../../support/s3-bucket.js';
import { withEnvironment } from '../../support/s3-source.js';
import { s3Url, skipWithoutS3 as skip } from '../../support/services.js';
import { collectKeys } from '../../support/sources.js';

const proxy = faultProxyDuringTests(s3Url, skip);
const bucket = testBucketDuringTests(async (bucket) => {
  await bucket.put('a.md', 'x');
});

/** Opens and lists a source as the job does, with these variables. */
async function listWith(
  variables: Record<string, string | undefined>,
  uri = `s3://${bucket.name}/`,
): Promise<string[]> {
  return await withEnvironment(variables, async () => {
    const source = await openSource(uri, { log: recordingLogger() });
    try {
      return await collectKeys(source);
    } finally {
      await source.close();
    }
  });
}

function rejectsWith(listing: Promise<unknown>, message: RegExp): Promise<void> {
  return assert.rejects(listing, (error) => {
    assert.ok(isEmbatchError(error, 'SOURCE'), String(error));
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  });
}

test('a bucket that does not exist is named', { skip }, async () => {
  await rejectsWith(
    listWith({}, 's3://embatch-no-such-bucket/docs/'),
    /^Cannot list s3:\/\/embatch-no-such-bucket\/docs\/: NoSuchBucket: .* \(HTTP 404\)\. Check the bucket's name/,
  );
});

for (const [status, body, message] of [
  [
    403,
    '<Code>AccessDenied</Code><Message>Access Denied</Message>',
    /Listing needs s3:ListBucket on \S+; .*--anonymous/,
  ],
  [403, '<Code>SignatureDoesNotMatch</Code>', /check AWS_SECRET_ACCESS_KEY/],
  [403, '<Code>InvalidAccessKeyId</Code>', /check AWS_ACCESS_KEY_ID/],
  [
    400,
    '<Code>ExpiredToken</Code><Message>The provided token has expired.</Message>',
    /token has expired \(HTTP 400\)\. The session/,
  ],
  [403, '<Code>RequestTimeTooSkewed</Code>', /Set this machine's clock/],
  [301, '<Code>PermanentRedirect</Code>', /Set AWS_REGION to the bucket's region/],
] as const) {
  test(`a listing answered with ${String(status)} ${body} says what to do`, { skip }, async () => {
    proxy.add({ fault: { kind: 'respond', status, body: `<Error>${body}</Error>` } });
    await rejectsWith(listWith({ AWS_ENDPOINT_URL_S3: proxy.url }), message);
  });
}

for (const [status, body, message] of [
  [
    200,
    '<!doctype html>\n<html><body>\n<p>Welcome to the hotel\n</body></html>',
    /no S3 \(HTTP 200\)\. Check scheme, host/,
  ],
  [
    404,
    '<!doctype html>\n<html><body>\n<p>Not found\n</body></html>',
    /no S3 \(HTTP 404\)\. Check scheme, host/,
  ],
  [400, 'Client sent an HTTP request to an HTTPS server.', /no S3 \(HTTP 400\)\. Check scheme, host/],
  [200, '<html><body><p>Well-formed</p></body></html>', /the answer is no listing: check scheme, host/],
] as const) {
  test(
    `an answer that is not S3's (${String(status)} ${body.slice(0, 25)}) is an error, not an empty source`,
    { skip },
    async () => {
      proxy.add({ fault: { kind: 'respond', status, headers: { 'content-type': 'text/html' }, body } });
      await rejectsWith(listWith({ AWS_ENDPOINT_URL_S3: proxy.url }), message);
    },
  );
}

test('https where only http is spoken is told', { skip }, async () => {
  const variables = { AWS_ENDPOINT_URL_S3: proxy.url.replace('http:', 'https:') };
  await rejectsWith(listWith(variables), /no S3 \(EPROTO\)\. Check scheme/);
});

test('without credentials it is said which to set, and the anonymous way', { skip }, async () => {
  const none = {
    AWS_ACCESS_KEY_ID: undefined,
    AWS_SECRET_ACCESS_KEY: undefined,
    AWS_SESSION_TOKEN: undefined,
    AWS_PROFILE: undefined,
    AWS_SHARED_CREDENTIALS_FILE: testData('s3/none'),
    AWS_CONFIG_FILE: testData('s3/none'),
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  await rejectsWith(
    listWith(none),
    /credentials.*Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, .*--anonymous/,
  );
});

test('a host that does not answer is named', { skip }, async () => {
  const closed = await startFaultProxy(s3Url());
  await closed.close();
  await rejectsWith(
    listWith({ AWS_ENDPOINT_URL_S3: closed.url }),
    new RegExp(`ECONNREFUSED ${closed.url.replace('http://', '')}.* Check AWS_ENDPOINT_URL_S3`),
  );
});

test(
  'a certificate is trusted when AWS_CA_BUNDLE or NODE_EXTRA_CA_CERTS names its authority',
  { skip },
  async () => {
    const [key, cert] = await Promise.all([
      readFile(testData('s3/server.key')),
      readFile(testData('s3/server.pem')),
    ]);
    const empty = `<?xml version="1.0"?><ListBucketResult><Contents><Key>over TLS</Key><ETag>"e"</ETag></Contents></ListBucketResult>`;
    const server = createTlsServer({ key, cert }, (_, response) => response.end(empty));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const AWS_ENDPOINT_URL_S3 = `https://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    const variables = { AWS_ENDPOINT_URL_S3, AWS_CA_BUNDLE: undefined, NODE_EXTRA_CA_CERTS: undefined };
    try {
      await rejectsWith(listWith(variables), /self-signed certificate.*AWS_CA_BUNDLE or NODE_EXTRA_CA_CERTS/);
      const trusting = { ...variables, AWS_CA_BUNDLE: testData('s3/server.pem') };
      assert.deepEqual(await listWith(trusting), ['over TLS']);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  },
);

test('nothing of the SDK lands on stdout or stderr', { skip }, async () => {
  const script = `
    import { openSource } from '#embatch/source/open-source.js';
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const source = await openSource('s3://${bucket.name}/', { log });
    for await (const object of source.list()) for await (const bytes of (await source.open(object)).body);
    await source.close();`;
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--eval', script],
    {
      cwd: projectRoot,
    },
  );
  assert.deepEqual({ stdout, stderr }, { stdout: '', stderr: '' });
});
