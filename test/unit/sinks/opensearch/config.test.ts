import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import { parseConfig, type Auth, type OpenSearchOptions } from '#embatch/sinks/opensearch/config.js';

type Environment = Record<string, string>;

describe('opensearch config: addresses', () => {
  const cases: readonly (readonly [string, Environment, string, string, string])[] = [
    // URI, environment, node, index, shown
    ['opensearch://host:9200/docs', {}, 'https://host:9200', 'docs', 'opensearch://host:9200/docs'],
    ['opensearch+http://host:9201/docs', {}, 'http://host:9201', 'docs', 'opensearch+http://host:9201/docs'],
    ['opensearch://host/docs', {}, 'https://host:9200', 'docs', 'opensearch://host:9200/docs'],
    ['opensearch+http://host/docs', {}, 'http://host:9200', 'docs', 'opensearch+http://host:9200/docs'],
    ['opensearch://host:443/docs', {}, 'https://host', 'docs', 'opensearch://host/docs'],
    [
      'opensearch+http://[::1]:9200/docs',
      {},
      'http://[::1]:9200',
      'docs',
      'opensearch+http://[::1]:9200/docs',
    ],
    [
      'opensearch://host:9200/search/v2/docs',
      {},
      'https://host:9200/search/v2',
      'docs',
      'opensearch://host:9200/search/v2/docs',
    ],
    ['opensearch://host:9200/docs/', {}, 'https://host:9200', 'docs', 'opensearch://host:9200/docs'],
    ['opensearch://host:9200/d%C3%B6cs', {}, 'https://host:9200', 'döcs', 'opensearch://host:9200/döcs'],
    [
      'opensearch://search-x.eu-west-1.es.amazonaws.com/docs',
      { AWS_REGION: 'us-east-1' },
      'https://search-x.eu-west-1.es.amazonaws.com',
      'docs',
      'opensearch://search-x.eu-west-1.es.amazonaws.com/docs',
    ],
    [
      'opensearch:///docs',
      { OPENSEARCH_URL: 'http://a:b@host:1/base/' },
      'http://host:1/base',
      'docs',
      'opensearch+http://host:1/base/docs',
    ],
  ];
  for (const [uri, env, node, index, shown] of cases) {
    it(uri, () => {
      const config = parseConfig(uri, {}, env);
      assert.deepEqual([config.node, config.index, config.uri], [node, index, shown]);
    });
  }

  const refused: readonly (readonly [string, Environment, RegExp])[] = [
    ['opensearch://user:secret@host:9200/docs', {}, /OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD/],
    ['opensearch://user@host:9200/docs', {}, /OPENSEARCH_USERNAME/],
    ['opensearch://host:9200', {}, /names no index/],
    ['opensearch://host:9200/', {}, /names no index/],
    ['opensearch://host:99999/docs', {}, /not a host and port/],
    ['opensearch://host:9200/docs?x=1', {}, /ends in '\?x=1'/],
    ['opensearch://host:9200/docs#x', {}, /ends in '#x'/],
    ['opensearch:docs', {}, /not an OpenSearch URI/],
    ['opensearch:///docs', {}, /OPENSEARCH_URL is not set/],
    ['opensearch:///docs', { OPENSEARCH_URL: 'host:9200' }, /OPENSEARCH_URL is 'host:9200'/],
    ['opensearch:///docs', { OPENSEARCH_URL: 'ftp://u:secret@host' }, /OPENSEARCH_URL is 'ftp:\/\/host'/],
    ...[
      'Docs',
      'do cs',
      '_all',
      '-docs',
      '+docs',
      '.docs',
      'docs*',
      'a,b',
      'a%2Cb',
      'a%2Fb',
      '%3Cdocs%3E',
      'x'.repeat(256),
    ].map((name) => [`opensearch://host:9200/${name}`, {}, /cannot name an index/] as const),
  ];
  for (const [uri, env, words] of refused) {
    it(`${uri.slice(0, 60)} with ${JSON.stringify(Object.keys(env))} is refused`, () => {
      assert.throws(
        () => parseConfig(uri, {}, env),
        (error) =>
          isEmbatchError(error, 'USAGE') && words.test(error.message) && !error.message.includes('secret'),
      );
    });
  }
});

describe('opensearch config: authentication', () => {
  const user = { OPENSEARCH_USERNAME: 'u', OPENSEARCH_PASSWORD: 'p' };
  const basic: Auth = { kind: 'basic', username: 'u', password: 'p' };
  const signed = (service: 'es' | 'aoss', region: string): Auth => ({ kind: 'sigv4', service, region });
  const domain = 'search-x.eu-west-1.es.amazonaws.com';
  const cases: readonly (readonly [string, string, OpenSearchOptions, Environment, Auth])[] = [
    ['nothing is known', 'host', {}, {}, { kind: 'none' }],
    ['a user name is set', 'host', {}, user, basic],
    ['a user name is set, for a managed domain', domain, {}, user, basic],
    ['a managed domain', domain, {}, {}, signed('es', 'eu-west-1')],
    ['a managed domain in China', 'x.cn-north-1.es.amazonaws.com.cn', {}, {}, signed('es', 'cn-north-1')],
    ['a serverless collection', 'abc.us-east-1.aoss.amazonaws.com', {}, {}, signed('aoss', 'us-east-1')],
    ['the region of the option wins', domain, { region: 'r' }, { AWS_REGION: 'x' }, signed('es', 'r')],
    [
      'signing asked for, region from the environment',
      'host',
      { auth: 'sigv4-es' },
      { AWS_REGION: 'x' },
      signed('es', 'x'),
    ],
    ['the older variable', 'host', { auth: 'sigv4-aoss' }, { AWS_DEFAULT_REGION: 'y' }, signed('aoss', 'y')],
    ['none is asked for', domain, { auth: 'none' }, user, { kind: 'none' }],
    ['basic is asked for', domain, { auth: 'basic' }, user, basic],
    ['a name that only looks managed', 'es.amazonaws.com.example.org', {}, {}, { kind: 'none' }],
  ];
  for (const [name, host, options, env, auth] of cases) {
    it(name, () => {
      assert.deepEqual(parseConfig(`opensearch://${host}/docs`, options, env).auth, auth);
    });
  }

  it('what is missing is named', () => {
    const missing = (options: OpenSearchOptions, env: Environment, words: RegExp): void => {
      assert.throws(
        () => parseConfig('opensearch://host/docs', options, env),
        (error) => isEmbatchError(error, 'USAGE') && words.test(error.message),
      );
    };
    missing({ auth: 'basic' }, {}, /without OPENSEARCH_USERNAME/);
    missing({}, { OPENSEARCH_USERNAME: 'u' }, /without OPENSEARCH_PASSWORD/);
    missing({}, { OPENSEARCH_USERNAME: 'u', OPENSEARCH_PASSWORD: '' }, /without OPENSEARCH_PASSWORD/);
    missing({ auth: 'sigv4-es' }, {}, /set AWS_REGION/);
  });
});
