/** Who asks: basic authentication and signed requests, checked by a doorkeeper in front of a real node. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { after, afterEach, before, describe, it } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import { openSearchUrl, skipWithoutOpenSearch } from '../../support/services.js';
import { certificateFile, startFront, type Front, type FrontOptions, type Refusal } from './front-server.js';
import { createOpenSearchSink } from '#embatch/sinks/opensearch/sink.js';
import { infoFor } from '../../conformance/sink-rows.js';
import { recordingLogger } from '../../support/recording-logger.js';
import type { OpenSearchOptions } from '#embatch/sinks/opensearch/config.js';
import { DIMENSIONS, countOf, removeIndices, rowsOf, sinkUri } from './opensearch-support.js';

const index = `auth-${process.pid}`;

/** Writes three rows past the doorkeeper. */
async function writeThrough(url: string, options: OpenSearchOptions): Promise<void> {
  const sink = createOpenSearchSink(sinkUri(url, index), options, { log: recordingLogger() });
  try {
    await sink.prepare(infoFor(DIMENSIONS));
    assert.ok((await sink.write(rowsOf(3))).every(({ ok }) => ok));
    await sink.finish();
    assert.equal(await countOf(openSearchUrl(), index), 3);
  } finally {
    await sink.close();
    await removeIndices(openSearchUrl(), index);
  }
}

describe('opensearch: basic authentication', { skip: skipWithoutOpenSearch }, () => {
  const expected = `Basic ${Buffer.from('jörg:p:ä ss').toString('base64')}`;
  const refuse = ({ headers }: IncomingMessage): Refusal | undefined =>
    headers.authorization === expected ? undefined : { status: 401, body: 'Unauthorized' };
  const environment = withEnvironment('OPENSEARCH_USERNAME', 'OPENSEARCH_PASSWORD', 'OPENSEARCH_URL');
  let front: Front;
  before(async () => {
    front = await startFront({ upstream: openSearchUrl(), tls: true, refuse });
  });
  after(() => front.close());
  afterEach(() => {
    environment.restore();
  });

  it('user name and password from the environment open the door', async () => {
    environment.set({ OPENSEARCH_USERNAME: 'jörg', OPENSEARCH_PASSWORD: 'p:ä ss' });
    await writeThrough(front.url, { caFile: certificateFile });
  });

  it('so do those in OPENSEARCH_URL, and they are shown nowhere', async () => {
    const { host } = new URL(front.url);
    environment.set({ OPENSEARCH_URL: `https://j%C3%B6rg:p%3A%C3%A4%20ss@${host}/` });
    const sink = createOpenSearchSink(
      `opensearch:///${index}`,
      { caFile: certificateFile },
      { log: recordingLogger() },
    );
    assert.equal(sink.uri, `opensearch://${host}/${index}`);
    assert.equal(await sink.inspect(), undefined);
    await sink.close();
  });

  for (const [name, user] of [
    ['a wrong password', { OPENSEARCH_USERNAME: 'jörg', OPENSEARCH_PASSWORD: 'guess' }],
    ['none', {}],
  ] as const) {
    it(`${name} is told at once, without the secret`, async () => {
      environment.set(user);
      await assert.rejects(
        writeThrough(front.url, { caFile: certificateFile }),
        (error) =>
          isEmbatchError(error, 'SINK') &&
          /wants to know who asks \(401\).*OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD/.test(error.message) &&
          !JSON.stringify([error.message, error.details, String(error.cause)]).includes('guess'),
      );
    });
  }
});

describe('opensearch: signed requests', { skip: skipWithoutOpenSearch }, () => {
  const keys = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG' };
  const environment = withEnvironment(...Object.keys(keys), 'AWS_SESSION_TOKEN', 'AWS_REGION', 'AWS_PROFILE');
  afterEach(() => {
    environment.restore();
  });

  const behind = async (refuse: NonNullable<FrontOptions['refuse']>, use: (url: string) => Promise<void>) => {
    const front = await startFront({ upstream: openSearchUrl(), refuse });
    try {
      await use(front.url);
    } finally {
      await front.close();
    }
  };

  for (const compression of [false, true]) {
    it(`every request is signed, ${compression ? 'compressed' : 'plain'} bodies and empty ones too`, async () => {
      environment.set({ ...keys, AWS_SESSION_TOKEN: 'token' });
      const wrong: string[] = [];
      const refuse = (request: IncomingMessage, body: Buffer): Refusal | undefined => {
        const problem = signatureProblem(request, body, keys.AWS_SECRET_ACCESS_KEY, 'eu-west-1', 'es');
        if (problem === undefined && request.headers['x-amz-security-token'] === 'token') return undefined;
        wrong.push(`${request.method} ${request.url}: ${problem}`);
        return {
          status: 403,
          body: JSON.stringify({ message: 'The request signature we calculated does not match' }),
        };
      };
      await behind(refuse, (url) =>
        writeThrough(url, { auth: 'sigv4-es', region: 'eu-west-1', compression }),
      );
      assert.deepEqual(wrong, []);
    });
  }

  it('another secret is refused with what the service says', async () => {
    environment.set({ ...keys, AWS_SECRET_ACCESS_KEY: 'wrong', AWS_REGION: 'eu-west-1' });
    const refuse = (request: IncomingMessage, body: Buffer): Refusal | undefined =>
      signatureProblem(request, body, keys.AWS_SECRET_ACCESS_KEY, 'eu-west-1', 'es') === undefined
        ? undefined
        : { status: 403, body: JSON.stringify({ message: 'The request signature does not match' }) };
    await behind(refuse, async (url) => {
      await assert.rejects(
        writeThrough(url, { auth: 'sigv4-es' }),
        (error) =>
          isEmbatchError(error, 'SINK') && error.message.includes('The request signature does not match'),
      );
    });
  });

  it('expired credentials are renewed once, and the request is repeated', async () => {
    environment.set({ ...keys, AWS_SESSION_TOKEN: 'old', AWS_REGION: 'eu-west-1' });
    let refused = 0;
    const refuse = ({ headers, url }: IncomingMessage): Refusal | undefined => {
      const bulk = url?.includes('_bulk') === true;
      if (!bulk || headers['x-amz-security-token'] === 'new') return undefined;
      refused++;
      environment.set({ AWS_SESSION_TOKEN: 'new' });
      return {
        status: 403,
        body: JSON.stringify({ message: 'The security token included in the request is expired' }),
      };
    };
    await behind(refuse, (url) => writeThrough(url, { auth: 'sigv4-es' }));
    assert.equal(refused, 1);
  });

  it('credentials that stay refused end the sink', async () => {
    environment.set({ ...keys, AWS_REGION: 'eu-west-1' });
    let asked = 0;
    const refuse = (): Refusal => {
      asked++;
      return {
        status: 403,
        body: JSON.stringify({ message: 'The security token included in the request is expired' }),
      };
    };
    await behind(refuse, async (url) => {
      await assert.rejects(
        writeThrough(url, { auth: 'sigv4-es' }),
        (error) => isEmbatchError(error, 'SINK') && error.message.includes('expired'),
      );
    });
    assert.ok(asked <= 4, `${asked} requests`);
  });
});

/** Sets variables for a test and puts back what was there. */
function withEnvironment(...names: readonly string[]): {
  set(values: Readonly<Record<string, string>>): void;
  restore(): void;
} {
  const before = names.map((name) => [name, process.env[name]] as const);
  return {
    set(values) {
      Object.assign(process.env, values);
    },
    restore() {
      for (const [name, value] of before) {
        if (value === undefined) Reflect.deleteProperty(process.env, name);
        else process.env[name] = value;
      }
    },
  };
}

/** Why the signature is not that of AWS Signature Version 4 (docs.aws.amazon.com, "Create a signed request"). */
function signatureProblem(
  request: IncomingMessage,
  body: Buffer,
  secret: string,
  region: string,
  service: string,
): string | undefined {
  const { authorization = '' } = request.headers;
  const parts =
    /^AWS4-HMAC-SHA256 Credential=[^/]+\/(\d{8})\/([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      authorization,
    );
  if (parts === null) return `no signature: '${authorization}'`;
  const [, day = '', scope = '', names = '', signature] = parts;
  if (scope !== `${region}/${service}/aws4_request`) return `scope ${scope}`;
  const bodyHash = sha256(body);
  if (request.headers['x-amz-content-sha256'] !== bodyHash) return 'another hash of the body';
  for (const name of ['host', 'x-amz-date', 'x-amz-content-sha256', 'x-amz-security-token']) {
    if (!names.split(';').includes(name)) return `${name} is not signed`;
  }
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const canonical = [
    request.method,
    // Every service but S3 wants the path escaped once more.
    path.split('/').map(encodeURIComponent).join('/'),
    query.split('&').filter(Boolean).sort().join('&'),
    ...names.split(';').map((name) => `${name}:${String(request.headers[name]).trim()}`),
    '',
    names,
    bodyHash,
  ].join('\n');
  const date = String(request.headers['x-amz-date']);
  const toSign = ['AWS4-HMAC-SHA256', date, `${day}/${scope}`, sha256(canonical)].join('\n');
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(
    (from, text) => createHmac('sha256', from).update(text).digest(),
    `AWS4${secret}`,
  );
  return createHmac('sha256', key).update(toSign).digest('hex') === signature
    ? undefined
    : 'another signature';
}

function sha256(text: string | Buffer): string {
  return createHash('sha256').update(text).digest('hex');
}
