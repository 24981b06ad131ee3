import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainS3Error } from '#embatch/core/s3-errors.js';

const withStatus = (name: string, httpStatusCode: number): Error =>
  Object.assign(new Error(name), { name, $metadata: { httpStatusCode } });
const withCode = (code: string, name = 'Error'): Error => Object.assign(new Error(code), { code, name });

for (const [kind, error] of [
  ['no-bucket', withStatus('NoSuchBucket', 404)],
  ['no-key', withStatus('NoSuchKey', 404)],
  ['no-key', withStatus('NotFound', 404)],
  ['denied', withStatus('AccessDenied', 403)],
  ['denied', withStatus('403', 403)],
  ['credentials', withStatus('ExpiredToken', 400)],
  ['credentials', withStatus('SignatureDoesNotMatch', 403)],
  ['credentials', Object.assign(new Error('none'), { name: 'CredentialsProviderError' })],
  ['clock', withStatus('RequestTimeTooSkewed', 403)],
  ['archived', withStatus('InvalidObjectState', 403)],
  ['precondition', withStatus('PreconditionFailed', 412)],
  ['precondition', withStatus('412', 412)],
  ['conflict', withStatus('ConditionalRequestConflict', 409)],
  ['region', withStatus('PermanentRedirect', 301)],
  ['throttled', withStatus('SlowDown', 503)],
  ['throttled', withStatus('429', 429)],
  ['server', withStatus('InternalError', 500)],
  ['server', withStatus('BadGateway', 502)],
  ['refused', withStatus('InvalidRange', 416)],
  ['not-s3', withCode('EPROTO')],
  ['not-s3', withCode('HPE_INVALID_CONSTANT')],
  ['unreachable', withCode('ECONNREFUSED')],
  ['unreachable', new Error('outer', { cause: withCode('ENOTFOUND') })],
  ['certificate', withCode('SELF_SIGNED_CERT_IN_CHAIN')],
  ['certificate', withCode('DEPTH_ZERO_SELF_SIGNED_CERT')],
  ['certificate', withCode('UNABLE_TO_VERIFY_LEAF_SIGNATURE')],
  ['certificate', withCode('ERR_TLS_CERT_ALTNAME_INVALID')],
  ['broken', withCode('ECONNRESET')],
  ['broken', Object.assign(new Error('silence'), { name: 'TimeoutError' })],
  ['broken', withCode('ERR_STREAM_PREMATURE_CLOSE')],
  ['refused', new Error('anything')],
] as const) {
  test(`${error.name} ${error.message} means ${kind}`, () => {
    const failure = explainS3Error(error);
    assert.equal(failure.kind, kind);
    assert.doesNotMatch(failure.reason, /\.$/);
    assert.match(
      failure.advice,
      kind === 'no-key' || kind === 'precondition' || kind === 'refused' ? /^$/ : /\.$/,
    );
  });
}

test('the reason names code and status, each once', () => {
  const denied = Object.assign(withStatus('AccessDenied', 403), { message: 'Access Denied.' });
  assert.equal(explainS3Error(denied).reason, 'AccessDenied: Access Denied (HTTP 403)');
  assert.equal(explainS3Error(withStatus('SlowDown', 503)).reason, 'SlowDown (HTTP 503)');
});
