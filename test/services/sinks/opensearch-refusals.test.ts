/** What a real node refuses, row by row and request by request. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import type { Row } from '#embatch/core/interfaces.js';
import { createOpenSearchSink } from '#embatch/sinks/opensearch/sink.js';
import { aRow, allRows, byId, infoFor } from '../../conformance/sink-rows.js';
import { eventually } from '../../support/eventually.js';
import { openSearchUrl, skipWithoutOpenSearch } from '../../support/services.js';
import { recordingLogger } from '../../support/recording-logger.js';
import {
  DIMENSIONS,
  call,
  countOf,
  reasonOf,
  rowsOf,
  sinkUri,
  storedDocument,
  withSink,
} from './opensearch-support.js';

describe('opensearch: rows that a node refuses', { skip: skipWithoutOpenSearch }, () => {
  it('a zero vector is refused in the words of the node, its neighbours are written', async () => {
    await withSink(openSearchUrl(), {}, async ({ sink, index }) => {
      const rows = rowsOf(5);
      rows[2] = { ...aRow(2, DIMENSIONS), vector: new Float32Array(DIMENSIONS) };
      const outcomes = await sink.write(rows);
      assert.deepEqual(
        outcomes.map(({ ok }) => ok),
        [true, true, false, true, true],
      );
      assert.match(reasonOf(outcomes[2]), /^400 mapper_parsing_exception: .*zero vector/);
      assert.equal(await countOf(openSearchUrl(), index), 4);
    });
  });

  it('record fields longer than a term may be are stored, and their neighbours can be filtered', async () => {
    await withSink(openSearchUrl(), {}, async ({ sink, index }) => {
      const long = {
        body: 'ü'.repeat(20_000),
        deep: { list: ['x'.repeat(32_700)] },
        ['k'.repeat(33_000)]: 1,
      };
      const row: Row = withFields(aRow(1, DIMENSIONS), { ...long, lang: 'de' });
      assert.deepEqual(await sink.write([row, aRow(2, DIMENSIONS)]), [
        { ok: true, attempts: 1 },
        { ok: true, attempts: 1 },
      ]);
      await sink.finish();
      assert.deepEqual(byId(await allRows(sink)), byId([row, aRow(2, DIMENSIONS)]));
      const query = { query: { term: { 'metadata.fields.lang': 'de' } } };
      const found = (await call('POST', `${openSearchUrl()}/${index}/_search`, query))['hits'] as {
        hits: unknown[];
      };
      assert.equal(found.hits.length, 1);
      const stored = await storedDocument(openSearchUrl(), index, row.id);
      assert.deepEqual((stored['metadata'] as Row['metadata']).fields, { lang: 'de' });
    });
  });

  it('fields of every shape come back as they were', async () => {
    await withSink(openSearchUrl(), {}, async ({ sink }) => {
      const shapes = [
        null,
        {},
        [],
        [null, null],
        { '': 1 },
        { 'a.b': 1, a: { b: 2 } },
        [[1], { b: null }],
        '\u0000',
        1e300,
      ];
      const rows = shapes.map((shape, n) => withFields(aRow(n, DIMENSIONS), { shape, '.': n, ' ': '=' }));
      const outcomes = await sink.write(rows);
      assert.deepEqual(
        outcomes.map(reasonOf),
        rows.map(() => ''),
      );
      await sink.finish();
      assert.deepEqual(byId(await allRows(sink)), byId(rows));
    });
  });

  it('more rows than a request may have go in several, and each id is there once', async () => {
    await withSink(
      openSearchUrl(),
      { maxRows: 7, maxBytes: 3000, concurrency: 2 },
      async ({ sink, index }) => {
        const outcomes = await sink.write(rowsOf(100));
        assert.deepEqual(
          outcomes,
          rowsOf(100).map(() => ({ ok: true, attempts: 1 })),
        );
        assert.equal(await countOf(openSearchUrl(), index), 100);
      },
    );
  });
});

describe('opensearch: an index that is blocked', { skip: skipWithoutOpenSearch }, () => {
  const blocks = ['index.blocks.read_only_allow_delete', 'index.blocks.write'];

  for (const block of blocks) {
    it(`${block}: rows wait, one warning says so, and go in once it is lifted`, async () => {
      await withSink(openSearchUrl(), {}, async ({ sink, index, log }) => {
        const settings = `${openSearchUrl()}/${index}/_settings`;
        await call('PUT', settings, { [block]: true });
        const written = sink.write(rowsOf(20));
        await eventually('three tries', () => retries(log.lines) >= 2);
        await call('PUT', settings, { [block]: null });
        const outcomes = await written;
        assert.ok(outcomes.every(({ ok, attempts }) => ok && attempts > 2));
        const warnings = log.lines.filter((line) => line.startsWith('warn'));
        assert.equal(warnings.length, 1);
        assert.match(warnings[0] ?? '', /blocked for writing.*cluster_block_exception/);
        assert.ok(log.lines.some((line) => line.endsWith('accepts writes again')));
        assert.equal(await countOf(openSearchUrl(), index), 20);
      });
    });

    it(`${block}: after the patience the sink gives up, says why, and stays given up`, async () => {
      await withSink(openSearchUrl(), { patienceMs: 200 }, async ({ sink, index }) => {
        await call('PUT', `${openSearchUrl()}/${index}/_settings`, { [block]: true });
        const gaveUp = (error: unknown): boolean =>
          isEmbatchError(error, 'SINK') &&
          error.retryable &&
          /accepted nothing for 200 ms .*last said 4\d\d cluster_block_exception/.test(error.message);
        await assert.rejects(sink.write(rowsOf(20)), gaveUp);
        await assert.rejects(sink.write(rowsOf(1)), gaveUp);
      });
    });
  }

  it('a signal ends the wait at once, with its reason', async () => {
    await withSink(openSearchUrl(), { blockedPauseMs: 3_600_000 }, async ({ sink, index, log }) => {
      await call('PUT', `${openSearchUrl()}/${index}/_settings`, { 'index.blocks.write': true });
      const controller = new AbortController();
      const reason = new Error('enough');
      const written = sink.write(rowsOf(5), { signal: controller.signal });
      written.catch(() => undefined);
      await eventually('the warning', () => log.lines.some((line) => line.startsWith('warn')));
      controller.abort(reason);
      await assert.rejects(written, (error) => error === reason);
    });
  });
});

describe('opensearch: an index that is dropped during a run', { skip: skipWithoutOpenSearch }, () => {
  const lost = (error: unknown): boolean =>
    isEmbatchError(error, 'SINK') && error.message.includes('was dropped');

  it('write fails, and the index does not come back by itself', async () => {
    await withSink(openSearchUrl(), {}, async ({ sink, index }) => {
      await sink.write(rowsOf(3));
      await call('DELETE', `${openSearchUrl()}/${index}`);
      await assert.rejects(sink.write(rowsOf(3)), lost);
      assert.equal((await fetch(`${openSearchUrl()}/${index}`)).status, 404);
    });
  });

  it('an index made anew by another run gets no row of ours', async () => {
    await withSink(openSearchUrl(), {}, async ({ sink, index }) => {
      await sink.write(rowsOf(3));
      const other = createOpenSearchSink(sinkUri(openSearchUrl(), index), {}, { log: recordingLogger() });
      await other.prepare(infoFor(DIMENSIONS), { recreate: true });
      await other.close();
      await assert.rejects(sink.write(rowsOf(3)), lost);
      await assert.rejects(sink.finish(), lost);
      assert.equal(await countOf(openSearchUrl(), index), 0);
    });
  });

  it('without the alias, finish notices', async () => {
    await withSink(openSearchUrl(), { writeAlias: false }, async ({ sink, index }) => {
      await call('DELETE', `${openSearchUrl()}/${index}`);
      // What the alias is for: the node makes an index of its own guesses.
      assert.deepEqual(await sink.write(rowsOf(1)), [{ ok: true, attempts: 1 }]);
      await assert.rejects(sink.finish(), lost);
    });
  });

  it('a closed index is an end, not a refusal of rows', async () => {
    await withSink(openSearchUrl(), {}, async ({ sink, index }) => {
      await call('POST', `${openSearchUrl()}/${index}/_close`);
      await assert.rejects(
        sink.write(rowsOf(3)),
        (error) => isEmbatchError(error, 'SINK') && error.message.includes('index_closed_exception'),
      );
    });
  });
});

function withFields(row: Row, fields: Readonly<Record<string, unknown>>): Row {
  return { ...row, metadata: { ...row.metadata, fields } };
}

function retries(lines: readonly string[]): number {
  return lines.filter((line) => line.includes('sent again')).length;
}
