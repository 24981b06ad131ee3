/** Real back-pressure: a node with one write thread, a queue of one, and room for half a megabyte at once. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { aRow } from '../../conformance/sink-rows.js';
import { skipWithoutTightOpenSearch, tightOpenSearchUrl } from '../../support/services.js';
import { DIMENSIONS, countOf, reasonOf, rowsOf, withSink } from './opensearch-support.js';

const KB = 1000;

describe('opensearch: a node under pressure', { skip: skipWithoutTightOpenSearch }, () => {
  it('rows that the full queue rejects are sent again until all are in', async () => {
    await withSink(
      tightOpenSearchUrl(),
      { concurrency: 24, maxRows: 20, shards: 4 },
      async ({ sink, index }) => {
        const rows = rowsOf(1200);
        const parts = Array.from({ length: 24 }, (_, part) => rows.filter((_row, n) => n % 24 === part));
        const outcomes = (await Promise.all(parts.map((part) => sink.write(part)))).flat();
        assert.deepEqual(outcomes.map(reasonOf).filter(Boolean), []);
        assert.ok(
          outcomes.some(({ attempts }) => attempts > 1),
          'the node was never busy: this shows nothing',
        );
        assert.equal(await countOf(tightOpenSearchUrl(), index), rows.length);
      },
    );
  });

  it('a request over the limit of its size (413) goes in halves', async () => {
    await withSink(tightOpenSearchUrl(), { maxBytes: 5000 * KB }, async ({ sink, index, log }) => {
      const rows = rowsOf(40).map((row) => ({ ...row, text: 'word '.repeat(10 * KB) }));
      const outcomes = await sink.write(rows);
      assert.ok(outcomes.every(({ ok, attempts }) => ok && attempts > 1));
      assert.ok(
        log.lines.some((line) => line.startsWith('info') && line.includes('cut smaller from now on')),
      );
      assert.equal(await countOf(tightOpenSearchUrl(), index), 40);
    });
  });

  it('a request that indexing pressure can never admit (429) goes in halves', async () => {
    await withSink(tightOpenSearchUrl(), { maxBytes: 950 * KB }, async ({ sink, index }) => {
      const rows = rowsOf(18).map((row) => ({ ...row, text: 'word '.repeat(10 * KB) }));
      const outcomes = await sink.write(rows);
      assert.ok(outcomes.every(({ ok, attempts }) => ok && attempts > 1));
      assert.equal(await countOf(tightOpenSearchUrl(), index), 18);
    });
  });

  it('a row that alone is over a limit is refused with its size, its neighbours are written', async () => {
    await withSink(tightOpenSearchUrl(), {}, async ({ sink, index }) => {
      const rows = rowsOf(6);
      rows[1] = { ...aRow(1, DIMENSIONS), text: 'x'.repeat(1200 * KB) };
      rows[4] = { ...aRow(4, DIMENSIONS), text: 'x'.repeat(700 * KB) };
      const outcomes = await sink.write(rows);
      assert.deepEqual(
        outcomes.map(({ ok }) => ok),
        [true, false, true, true, false, true],
      );
      assert.match(reasonOf(outcomes[1]), /^413 .*the row alone has 1200\d\d\d bytes/);
      assert.match(
        reasonOf(outcomes[4]),
        /^429 rejected_execution_exception.*the row alone has 700\d\d\d bytes/,
      );
      assert.equal(await countOf(tightOpenSearchUrl(), index), 4);
    });
  });
});
