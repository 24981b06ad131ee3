/** The road for services that choose ids themselves, on a real node behind a proxy that refuses as they do. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import type { Row, RowFacts, Sink } from '#embatch/core/interfaces.js';
import type { OpenSearchOptions } from '#embatch/sinks/opensearch/config.js';
import { createOpenSearchSink } from '#embatch/sinks/opensearch/sink.js';
import { describeSink } from '../../conformance/sink-conformance.js';
import { aRow, allRows, byId, infoFor, recordingLog } from '../../conformance/sink-rows.js';
import { recordingLogger, type RecordingLogger } from '../../support/recording-logger.js';
import { openSearchUrl, skipWithoutOpenSearch } from '../../support/services.js';
import { startServerlessProxy, type ServerlessProxy } from '../../support/serverless-proxy.js';
import {
  DIMENSIONS,
  call,
  countOf,
  makeForeignIndex,
  removeIndices,
  rowsOf,
  sinkUri,
} from './opensearch-support.js';

process.env['AWS_ACCESS_KEY_ID'] ??= 'test';
process.env['AWS_SECRET_ACCESS_KEY'] ??= 'test-secret';

const serverless: OpenSearchOptions = {
  auth: 'sigv4-aoss',
  region: 'eu-central-1',
  visiblePollMs: 20,
  retryPauseMs: 5,
  // Short: what is waited for is waited for because it does not show yet.
  shownWithinMs: 1,
};
const skip = skipWithoutOpenSearch;
let places = 0;

/** Kept for the suite's places, whose proxy must outlive them. All shows at once: tests of the lag stand below. */
let shared: ServerlessProxy | undefined;
if (skip === false) {
  before(async () => {
    const proxy = await startServerlessProxy({ upstream: openSearchUrl(), refreshInterval: '-1' });
    proxy.after = async ({ url = '' }) => {
      const [, index] = /^\/([^/]+)\/_bulk/.exec(url) ?? [];
      if (index !== undefined) await call('POST', `${openSearchUrl()}/${index}/_refresh`);
    };
    shared = proxy;
  });
  after(() => shared?.close());
}

describeSink({
  name: 'opensearch, ids chosen by the service',
  skip: skip === false ? undefined : skip,
  createPlace: () => {
    const index = `serverless-conformance-${process.pid}-${places++}`;
    return Promise.resolve({
      open: () =>
        createOpenSearchSink(
          sinkUri(shared?.url ?? '', index),
          { ...serverless, visibleWaitMs: 500 },
          { log: recordingLog() },
        ),
      makeForeign: () => makeForeignIndex(openSearchUrl(), index),
      remove: () => removeIndices(openSearchUrl(), index),
    });
  },
});

describe('opensearch serverless', { skip }, () => {
  let proxy: ServerlessProxy;
  let index = '';
  const sinks: Sink[] = [];
  let log: RecordingLogger;

  /** An index of which nothing shows before `showAll`. */
  before(async () => {
    proxy = await startServerlessProxy({ upstream: openSearchUrl(), refreshInterval: '-1' });
  });
  after(() => proxy.close());
  afterEach(async () => {
    proxy.before = proxy.after = proxy.refuse = undefined;
    await Promise.all(sinks.splice(0).map((sink) => sink.close()));
    await removeIndices(openSearchUrl(), index);
    assert.deepEqual(proxy.refusals, [], 'nothing was asked that the service does not know');
  });

  async function open(options: OpenSearchOptions = {}): Promise<Sink> {
    log = recordingLogger();
    const sink = createOpenSearchSink(sinkUri(proxy.url, index), { ...serverless, ...options }, { log });
    sinks.push(sink);
    await sink.prepare(infoFor(DIMENSIONS));
    return sink;
  }

  async function openNew(options: OpenSearchOptions = {}): Promise<Sink> {
    index = `serverless-${process.pid}-${places++}`;
    return open(options);
  }

  /** From now on writes show by themselves. */
  const showAll = (): Promise<unknown> =>
    call('PUT', `${openSearchUrl()}/${index}/_settings`, { 'index.refresh_interval': '50ms' });
  const refresh = (): Promise<unknown> => call('POST', `${openSearchUrl()}/${index}/_refresh`);

  it('rows that were written twice before any of them showed are there once after finish, the newest', async () => {
    const sink = await openNew();
    await sink.write(rowsOf(30));
    await sink.write(rowsOf(30).map((row) => inVersion(row, 'v2')));
    assert.equal(await countOf(openSearchUrl(), index), 60, 'nothing was doubled: this shows nothing');
    assert.equal((await allFacts(sink)).length, 60);
    await showAll();
    await sink.finish({ lastWriter: true });
    const rows = byId(rowsOf(30).map((row) => inVersion(row, 'v2')));
    assert.deepEqual(byId(await allRows(sink)), rows);
    assert.equal((await allFacts(sink)).length, 30);
    assert.equal(await countOf(openSearchUrl(), index), 30);
    const [hit] = (await sink.search?.(aRow(7, DIMENSIONS).vector, 3)) ?? [];
    assert.equal(hit?.id, aRow(7, DIMENSIONS).id);
    assert.equal(hit.text, 'text of document 7, v2');
  });

  it('what shows already is replaced by the write itself, and at no time is there none', async () => {
    const sink = await openNew();
    await sink.write(rowsOf(5));
    await refresh();
    let least = Infinity;
    proxy.before = async (_request, body) => {
      if (body.includes('"delete"')) least = Math.min(least, await countOf(openSearchUrl(), index));
    };
    await sink.write(rowsOf(5).map((row) => inVersion(row, 'v2')));
    assert.equal(least, 10);
    assert.equal(await countOf(openSearchUrl(), index), 5);
    assert.deepEqual((await sink.get([aRow(3, DIMENSIONS).id]))[0]?.text, 'text of document 3, v2');
  });

  it('a writer that dies between the new rows and the deletion leaves what its next run sweeps', async () => {
    const killed = await openNew();
    await killed.write(rowsOf(10));
    await refresh();
    const controller = new AbortController();
    proxy.before = (_request, body) => {
      if (!body.includes('"delete"')) return;
      controller.abort(new Error('killed'));
      throw new Error('killed');
    };
    await assert.rejects(
      killed.write(
        rowsOf(6).map((row) => inVersion(row, 'v2')),
        { signal: controller.signal },
      ),
      /killed/,
    );
    proxy.before = undefined;
    assert.equal(await countOf(openSearchUrl(), index), 16);
    await showAll();
    const next = await open();
    await next.write([inVersion(aRow(0, DIMENSIONS), 'v3')]);
    await next.finish({ lastWriter: true });
    const expected = rowsOf(10).map((row, n) =>
      n === 0 ? inVersion(row, 'v3') : n < 6 ? inVersion(row, 'v2') : row,
    );
    assert.deepEqual(byId(await allRows(next)), byId(expected));
    assert.equal(await countOf(openSearchUrl(), index), 10);
  });

  it('rows that a repeated request doubled are there once after finish', async () => {
    const sink = await openNew({ shownWithinMs: 300 });
    let lost = 0;
    proxy.after = (_request, body) => {
      if (body.includes('"index"') && lost++ === 0) throw new Error('lost on the way');
    };
    await sink.write(rowsOf(8));
    assert.equal(await countOf(openSearchUrl(), index), 16);
    await showAll();
    await sink.finish();
    assert.deepEqual(byId(await allRows(sink)), byId(rowsOf(8)));
    assert.equal(await countOf(openSearchUrl(), index), 8);
  });

  it('rows out of date go, though they did not show yet; those just written stay', async () => {
    const sink = await openNew();
    await sink.write(rowsOf(6));
    await sink.write([inVersion(aRow(1, DIMENSIONS), 'v2')]);
    await showAll();
    const stale = rowsOf(3).map(({ embatch: { object, fingerprint } }) => ({
      object,
      keep: { version: 'v2', fingerprint },
    }));
    assert.equal(await sink.removeRows(stale), 3);
    await sink.finish();
    const expected = [inVersion(aRow(1, DIMENSIONS), 'v2'), ...rowsOf(6).slice(3)];
    assert.deepEqual(byId(await allRows(sink)), byId(expected));
    assert.equal(await countOf(openSearchUrl(), index), 4);
  });

  it('rows that a killed predecessor wrote a moment ago are found once they must show', async () => {
    await (await openNew()).write(rowsOf(4));
    const settings = { 'index.refresh_interval': '1s' };
    const next = await open({ shownWithinMs: 3000 });
    await call('PUT', `${openSearchUrl()}/${index}/_settings`, settings);
    const facts = await allFacts(next);
    assert.equal(facts.length, 4);
    const stale = rowsOf(4).map(({ embatch: { object } }) => ({ object, keep: undefined }));
    assert.equal(await next.removeRows(stale), 4);
  });

  it('an index just made that is not known everywhere is waited for, one that is gone is not', async () => {
    const sink = await openNew({ shownWithinMs: 60_000, visiblePollMs: 20 });
    const reason = 'no such index';
    const body = JSON.stringify({ error: { type: 'index_not_found_exception', reason }, status: 404 });
    let refused = 0;
    proxy.refuse = ({ url = '' }) =>
      url.includes('/_bulk') && refused++ < 3 ? { status: 404, body } : undefined;
    assert.ok((await sink.write(rowsOf(2))).every(({ ok, attempts }) => ok && attempts === 4));
    const other = await open();
    proxy.refuse = ({ url = '' }) => (url.includes('/_bulk') ? { status: 404, body } : undefined);
    await assert.rejects(other.write(rowsOf(2)), (error) => isEmbatchError(error, 'SINK'));
  });

  it('the index remembers what was swept, and that does not change what it says of itself', async () => {
    const sink = await openNew();
    await sink.write(rowsOf(2));
    await showAll();
    await sink.finish({ lastWriter: true });
    const { mappings } = (await call('GET', `${openSearchUrl()}/${index}/_mapping`))[index] as {
      mappings: { _meta: { embatch: { swept?: string } } };
    };
    assert.match(mappings._meta.embatch.swept ?? '', /^\d{15}$/);
    const other = await open();
    assert.deepEqual(await other.inspect(), await sink.inspect());
  });

  it('a write that never shows is waited for so long, and then told', async () => {
    const sink = await openNew({ visibleWaitMs: 100 });
    await sink.write(rowsOf(2));
    await sink.finish();
    assert.ok(log.lines.some((line) => line.startsWith('warn') && line.includes('shows in a search')));
  });

  it('a whole page of copies does not hide any', async () => {
    const sink = await openNew({ maxRows: 700 });
    const rows = rowsOf(1500);
    for (let n = 0; n < 3; n++) await sink.write(rows);
    assert.equal(await countOf(openSearchUrl(), index), 4500);
    await showAll();
    await sink.finish();
    assert.equal(await countOf(openSearchUrl(), index), 1500);
    assert.deepEqual(byId(await allRows(sink)), byId(rows));
  });

  it('shards and replicas are not ours to choose', () => {
    assert.throws(
      () => createOpenSearchSink(sinkUri(proxy.url, 'x'), { ...serverless, replicas: 0 }, { log }),
      (error) => isEmbatchError(error, 'USAGE') && error.message.includes('--index-replicas'),
    );
  });
});

function inVersion(row: Row, version: string): Row {
  return { ...row, text: `${row.text}, ${version}`, embatch: { ...row.embatch, version } };
}

async function allFacts(sink: Sink): Promise<RowFacts[]> {
  const facts: RowFacts[] = [];
  for await (const fact of sink.facts()) facts.push(fact);
  return facts;
}
