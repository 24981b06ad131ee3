/** Reaching a cluster, and what may lie under the name of an index. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { isEmbatchError, type ErrorCode } from '#embatch/core/errors.js';
import type { OpenSearchOptions } from '#embatch/sinks/opensearch/config.js';
import { createOpenSearchSink } from '#embatch/sinks/opensearch/sink.js';
import { infoFor } from '../../conformance/sink-rows.js';
import { faultProxyDuringTests, type SeenRequest } from '../../support/fault-proxy.js';
import { recordingLogger } from '../../support/recording-logger.js';
import { openSearchUrl, skipWithoutOpenSearch } from '../../support/services.js';
import { certificateFile, startFront, type Front } from './front-server.js';
import {
  DIMENSIONS,
  call,
  makeForeignIndex,
  removeIndices,
  rowsOf,
  sinkUri,
  withSink,
} from './opensearch-support.js';

const json = { 'content-type': 'application/json' };
const info = infoFor(DIMENSIONS);

async function inspected(uri: string, options: OpenSearchOptions = {}): Promise<void> {
  const sink = createOpenSearchSink(uri, options, { log: recordingLogger() });
  try {
    await sink.inspect();
  } finally {
    await sink.close();
  }
}

const withWords =
  (code: ErrorCode, ...words: readonly RegExp[]) =>
  (error: unknown): boolean => {
    assert.ok(isEmbatchError(error, code), String(error));
    for (const word of words) assert.match(error.message, word);
    assert.ok(!error.message.includes('\n'));
    return true;
  };

describe('opensearch: reaching the cluster', { skip: skipWithoutOpenSearch }, () => {
  let tls: Front;
  before(async () => {
    tls = await startFront({ upstream: openSearchUrl(), tls: true });
  });
  after(() => tls.close());

  it('a port where nothing listens', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    await assert.rejects(
      inspected(`opensearch+http://127.0.0.1:${port}/docs`),
      withWords('SINK', /nothing listens there/, new RegExp(`:${port}`)),
    );
  });

  it('a host name that does not exist', async () => {
    await assert.rejects(
      inspected('opensearch://no-such-host.invalid/docs'),
      withWords('SINK', /host name is unknown/, /no-such-host\.invalid/),
    );
  });

  it('TLS to a plain port', async () => {
    const uri = sinkUri(openSearchUrl(), 'docs').replace('+http', '');
    await assert.rejects(inspected(uri), withWords('SINK', /does not speak TLS/, /opensearch\+http:/));
  });

  it('plain to a TLS port', async () => {
    const uri = sinkUri(tls.url, 'docs').replace('opensearch:', 'opensearch+http:');
    await assert.rejects(inspected(uri), withWords('SINK', /expects TLS, write opensearch:/));
  });

  it('a certificate that nobody vouches for', async () => {
    await assert.rejects(
      inspected(sinkUri(tls.url, 'docs')),
      withWords('SINK', /certificate .*not trust/, /--opensearch-ca-file/, /NODE_EXTRA_CA_CERTS/),
    );
  });

  it('a certificate of our own authority is accepted, and rows go through', async () => {
    const index = `tls-${process.pid}`;
    const sink = createOpenSearchSink(
      sinkUri(tls.url, index),
      { caFile: certificateFile },
      { log: recordingLogger() },
    );
    await sink.prepare(info);
    assert.ok((await sink.write(rowsOf(3))).every(({ ok }) => ok));
    await sink.close();
    await removeIndices(openSearchUrl(), index);
  });

  it('a CA file that is missing, or holds none', async () => {
    await assert.rejects(
      inspected(sinkUri(tls.url, 'docs'), { caFile: '/no/such.pem' }),
      withWords('USAGE', /\/no\/such\.pem/),
    );
    await assert.rejects(
      inspected(sinkUri(tls.url, 'docs'), { caFile: import.meta.filename }),
      withWords('USAGE', /no certificate in PEM form/),
    );
  });
});

describe('opensearch: what answers', { skip: skipWithoutOpenSearch }, () => {
  const proxy = faultProxyDuringTests(openSearchUrl, skipWithoutOpenSearch);

  const root = ({ url }: SeenRequest): boolean => url === '/';
  const answers = (body: unknown, status = 200): void => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const headers = typeof body === 'string' ? { 'content-type': 'text/html' } : json;
    proxy.add({ when: root, fault: { kind: 'respond', status, headers, body: text } });
  };

  const refused: readonly (readonly [string, unknown, number, RegExp])[] = [
    [
      'Elasticsearch',
      { version: { number: '8.17.0', build_flavor: 'default' }, tagline: 'You Know, for Search' },
      200,
      /Elasticsearch 8\.17\.0/,
    ],
    [
      'an OpenSearch that is too old',
      { version: { number: '1.3.2', distribution: 'opensearch' } },
      200,
      /1\.3\.2.*2\.9 or newer/,
    ],
    [
      'an OpenSearch a little too old',
      { version: { number: '2.8.0', distribution: 'opensearch' } },
      200,
      /2\.8\.0/,
    ],
    ['some web page', '<html>Welcome to nginx</html>', 200, /not OpenSearch/],
    ['some other service', { ok: true }, 200, /not OpenSearch/],
    ['nothing at the root', 'no', 404, /not OpenSearch/],
  ];
  for (const [name, body, status, words] of refused) {
    it(`${name} is refused`, async () => {
      answers(body, status);
      await assert.rejects(inspected(sinkUri(proxy.url, 'docs')), withWords('USAGE', words));
      assert.equal(proxy.requests.length, 1);
    });
  }

  const accepted: readonly (readonly [string, unknown, number])[] = [
    [
      'the compatibility switch says 7.10.2',
      { version: { number: '7.10.2', distribution: 'opensearch' } },
      200,
    ],
    ['2.9', { version: { number: '2.9.0', distribution: 'opensearch' } }, 200],
    ['the role may not ask for the version', { error: { type: 'security_exception', reason: 'no' } }, 403],
  ];
  for (const [name, body, status] of accepted) {
    it(`${name}: accepted`, async () => {
      answers(body, status);
      await inspected(sinkUri(proxy.url, 'docs'));
    });
  }

  it('a cluster that is busy for a moment is asked again', async () => {
    proxy.add({ when: root, times: 2, fault: { kind: 'respond', status: 503, headers: json, body: '{}' } });
    await inspected(sinkUri(proxy.url, 'docs'), { retryPauseMs: 1 });
    assert.equal(proxy.requests.filter(root).length, 3);
  });

  const creation = ({ method }: SeenRequest): boolean => method === 'PUT';
  const refuseCreation = (status: number, type: string, reason: string, times = Infinity): void => {
    const body = JSON.stringify({ error: { type, reason }, status });
    proxy.add({ when: creation, times, fault: { kind: 'respond', status, headers: json, body } });
  };
  const created = async (): Promise<void> => {
    const sink = createOpenSearchSink(sinkUri(proxy.url, 'refused-creation'), {}, { log: recordingLogger() });
    try {
      await sink.prepare(info);
    } finally {
      await sink.close();
      await removeIndices(openSearchUrl(), 'refused-creation');
    }
  };

  it('a cluster without the k-NN plugin', async () => {
    refuseCreation(400, 'illegal_argument_exception', 'unknown setting [index.knn] please check …');
    await assert.rejects(created(), withWords('USAGE', /no k-NN plugin/));
  });

  it('a cluster that permits no new index', async () => {
    refuseCreation(
      403,
      'index_create_block_exception',
      'blocked by: [FORBIDDEN/10/cluster create-index blocked (api)]',
    );
    await assert.rejects(created(), withWords('SINK', /does not permit/, /create-index blocked/));
  });

  it('a cluster that does not know derived source gets none', async () => {
    refuseCreation(
      400,
      'settings_exception',
      'unknown setting [index.knn.derived_source.enabled] did you mean …',
      1,
    );
    await created();
    assert.equal(proxy.requests.filter(creation).length, 2);
  });

  it('without permission for aliases, rows go to the index by its name, with a warning', async () => {
    const aliases = ({ url }: SeenRequest): boolean => url === '/_aliases';
    proxy.add({ when: aliases, fault: { kind: 'respond', status: 403, headers: json, body: '{}' } });
    await withSink(proxy.url, {}, async ({ sink, index, log }) => {
      assert.ok((await sink.write(rowsOf(2))).every(({ ok }) => ok));
      assert.ok(log.lines.some((line) => line.startsWith('warn no permission for the alias')));
      assert.ok(proxy.requests.some(({ url }) => url.startsWith(`/${index}/_bulk?require_alias=false`)));
      await sink.finish();
    });
  });
});

describe('opensearch: what lies under the name', { skip: skipWithoutOpenSearch }, () => {
  const url = openSearchUrl;
  const sinkOn = (index: string, options: OpenSearchOptions = {}): ReturnType<typeof createOpenSearchSink> =>
    createOpenSearchSink(sinkUri(url(), index), options, { log: recordingLogger() });

  it('an alias of one index of ours leads to it, for writing and searching', async () => {
    await withSink(url(), {}, async ({ sink, index, info: original }) => {
      await call('POST', `${url()}/_aliases`, { actions: [{ add: { index, alias: `${index}-alias` } }] });
      const other = sinkOn(`${index}-alias`);
      assert.deepEqual(await other.prepare(info), original);
      await other.write(rowsOf(3));
      await other.finish();
      await other.close();
      assert.equal((await sink.search?.(rowsOf(1)[0]?.vector ?? new Float32Array(0), 5))?.length, 3);
    });
  });

  it('an alias of two indices is refused unless one of them is its write index', async () => {
    await withSink(url(), {}, async ({ index }) => {
      const theirs = `${index}-theirs`;
      await makeForeignIndex(url(), theirs);
      const alias = `${index}-alias`;
      const add = (name: string, more = {}): object => ({ add: { index: name, alias, ...more } });
      await call('POST', `${url()}/_aliases`, { actions: [add(index), add(theirs)] });
      const other = sinkOn(alias);
      await assert.rejects(other.prepare(info), withWords('USAGE', /alias of 2 indices/, new RegExp(theirs)));
      await call('POST', `${url()}/_aliases`, { actions: [add(index, { is_write_index: true })] });
      await other.prepare(info);
      await other.close();
      await removeIndices(url(), theirs);
    });
  });

  it('recreate on an alias is refused, and nothing is dropped', async () => {
    await withSink(url(), {}, async ({ index, info: original }) => {
      await call('POST', `${url()}/_aliases`, { actions: [{ add: { index, alias: `${index}-alias` } }] });
      const other = sinkOn(`${index}-alias`);
      await assert.rejects(
        other.prepare(info, { recreate: true }),
        withWords('USAGE', /--recreate/, new RegExp(index)),
      );
      assert.deepEqual(await other.inspect(), original);
      await other.close();
    });
  });

  it('recreate of an index that is not ours is refused, and its document stays', async () => {
    await makeForeignIndex(url(), 'open-foreign');
    const other = sinkOn('open-foreign');
    await assert.rejects(other.prepare(info, { recreate: true }), withWords('USAGE', /not made by embatch/));
    await other.close();
    assert.equal((await call('GET', `${url()}/open-foreign/_doc/1`))['found'], true);
    await removeIndices(url(), 'open-foreign');
  });

  it('an index keeps its layout; another that is asked for is refused', async () => {
    await withSink(url(), { layout: 'haystack' }, async ({ index }) => {
      const same = sinkOn(index);
      await same.prepare(info);
      await same.close();
      const other = sinkOn(index, { layout: 'llamaindex' });
      await assert.rejects(other.prepare(info), withWords('USAGE', /'haystack', not 'llamaindex'/));
      await other.close();
    });
  });

  it('a restored copy that shares the alias is not written to', async () => {
    await withSink(url(), {}, async ({ index, info: original }) => {
      const copy = `${index}-copy`;
      const alias = `${index}--embatch-${original.indexId}`;
      await call('PUT', `${url()}/${copy}`, { aliases: { [alias]: { is_hidden: true } } });
      const log = recordingLogger();
      const again = createOpenSearchSink(sinkUri(url(), index), {}, { log });
      await again.prepare(info);
      assert.ok((await again.write(rowsOf(3))).every(({ ok }) => ok));
      await again.finish();
      await again.close();
      assert.ok(log.lines.some((line) => line.startsWith('warn') && line.includes(copy)));
      assert.equal((await call('GET', `${url()}/${copy}/_count`))['count'], 0);
      await removeIndices(url(), copy);
    });
  });

  it('the index has our settings and mapping, and no other field is ever mapped', async () => {
    const options = { hnswM: 24, hnswEfConstruction: 200, shards: 3, replicas: 0 };
    await withSink(url(), options, async ({ sink, index }) => {
      await sink.write(rowsOf(2));
      const stored = (await call('GET', `${url()}/${index}?flat_settings=true`))[index] as {
        settings: Record<string, string>;
        mappings: { dynamic: string; properties: Record<string, { method: unknown }> };
      };
      assert.equal(stored.settings['index.knn'], 'true');
      assert.equal(stored.settings['index.knn.derived_source.enabled'], 'false');
      assert.equal(stored.settings['index.number_of_shards'], '3');
      assert.equal(stored.settings['index.number_of_replicas'], '0');
      assert.equal(stored.mappings.dynamic, 'false');
      assert.deepEqual(Object.keys(stored.mappings.properties).sort(), [
        'embatch',
        'metadata',
        'text',
        'vector_field',
      ]);
      assert.deepEqual(stored.mappings.properties['vector_field']?.method, {
        name: 'hnsw',
        engine: 'lucene',
        space_type: 'cosinesimil',
        parameters: { m: 24, ef_construction: 200 },
      });
    });
  });

  it('a faiss mapping is made as asked', async () => {
    await withSink(url(), { engine: 'faiss' }, async ({ index }) => {
      const stored = JSON.stringify(await call('GET', `${url()}/${index}/_mapping`));
      assert.match(stored, /"engine":"faiss","space_type":"cosinesimil"/);
    });
  });

  it('a search for none or too many is refused', async () => {
    await withSink(url(), {}, async ({ sink }) => {
      for (const k of [0, -1, 1.5, 10_001]) {
        await assert.rejects(
          sink.search?.(rowsOf(1)[0]?.vector ?? new Float32Array(0), k) ?? Promise.resolve(),
          withWords('USAGE', new RegExp(String(k))),
        );
      }
    });
  });
});
