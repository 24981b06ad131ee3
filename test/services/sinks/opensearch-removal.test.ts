/** What leaves an index and what must stay in it, on a real node. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Row, RowFacts, Sink, StaleRows } from '#embatch/core/interfaces.js';
import { factsOf } from '#embatch/core/row-facts.js';
import { layoutNames } from '#embatch/sinks/opensearch/layouts.js';
import { aRow, allRows, byId, writeAll } from '../../conformance/sink-rows.js';
import { openSearchUrl, skipWithoutOpenSearch } from '../../support/services.js';
import { startFront } from './front-server.js';
import { DIMENSIONS, call, countOf, rowsOf, withSink } from './opensearch-support.js';

/** `row` as a later version of its object gives it. */
function inVersion(row: Row, version: string): Row {
  return {
    ...row,
    text: `${row.text}, ${version}`,
    metadata: { ...row.metadata, etag: version },
    embatch: { ...row.embatch, version },
  };
}

/** Chunk `chunk` of the object that {@link aRow} makes the first chunk of. */
function chunkOf(n: number, chunk: number): Row {
  const row = aRow(n, DIMENSIONS);
  const id = `${row.id}-${chunk}`;
  return {
    ...row,
    id,
    metadata: { ...row.metadata, chunk, chunks: chunk + 1, record: chunk % 2 === 0 ? chunk : `r${chunk}` },
    embatch: { ...row.embatch, id },
  };
}

function staleOf({ embatch }: Row, version?: string): StaleRows {
  const keep = version === undefined ? undefined : { version, fingerprint: embatch.fingerprint };
  return { object: embatch.object, keep };
}

async function allFacts(sink: Sink): Promise<RowFacts[]> {
  const facts: RowFacts[] = [];
  for await (const fact of sink.facts()) facts.push(fact);
  return facts.sort((a, b) => (a.id < b.id ? -1 : 1));
}

describe('opensearch: rows that must go', { skip: skipWithoutOpenSearch }, () => {
  for (const layout of layoutNames) {
    it(`layout ${layout}: rows written a moment ago are told, got and removed`, async () => {
      await withSink(openSearchUrl(), { layout }, async ({ sink, index }) => {
        const old = Array.from({ length: 5 }, (_, chunk) => chunkOf(1, chunk));
        const rows = [...old, chunkOf(2, 0), chunkOf(3, 1)];
        await sink.write(rows);
        assert.deepEqual(await allFacts(sink), byId(rows).map(factsOf));
        const current = old.slice(0, 2).map((row) => inVersion(row, 'v2'));
        await sink.write(current);
        assert.deepEqual(
          byId(await sink.get([...rows.map(({ id }) => id), 'none'])),
          byId([...current, ...rows.slice(2)]),
        );
        const stale = [staleOf(chunkOf(1, 0), 'v2'), staleOf(chunkOf(3, 0))];
        assert.equal(await sink.removeRows(stale), 4);
        assert.equal(await sink.removeRows(stale), 0);
        assert.deepEqual(await allFacts(sink), byId([...current, chunkOf(2, 0)]).map(factsOf));
        assert.equal(await countOf(openSearchUrl(), index), 3);
      });
    });
  }

  it('of one object, what was cut in another way goes as well', async () => {
    await withSink(openSearchUrl(), {}, async ({ sink }) => {
      const row = chunkOf(1, 0);
      const otherwise: Row = { ...chunkOf(1, 1), embatch: { ...chunkOf(1, 1).embatch, fingerprint: 'x' } };
      await sink.write([row, otherwise]);
      assert.equal(await sink.removeRows([staleOf(row, 'v1')]), 1);
      assert.deepEqual(await allFacts(sink), [factsOf(row)]);
    });
  });

  it('thousands of objects and of rows go in one call, the others stay', async () => {
    await withSink(openSearchUrl(), { maxRows: 700 }, async ({ sink, index }) => {
      const rows = rowsOf(2500);
      const long = Array.from({ length: 6000 }, (_, chunk) => chunkOf(0, chunk));
      await writeAll(sink, [...rows, ...long]);
      const stale = rows.map((row, n) => staleOf(row, n % 2 === 0 ? undefined : 'v1'));
      assert.equal(await sink.removeRows(stale), 1250 + 6000);
      await sink.finish();
      assert.deepEqual(byId(await allRows(sink)), byId(rows.filter((_row, n) => n % 2 === 1)));
      assert.equal(await countOf(openSearchUrl(), index), 1250);
    });
  });

  it('a row that another writer replaces between the search and the deletion stays', async () => {
    const replaced = inVersion(aRow(1, DIMENSIONS), 'v2');
    let replace: (() => Promise<unknown>) | undefined;
    const front = await startFront({
      upstream: openSearchUrl(),
      async before(_request, body) {
        if (!body.includes('"delete"')) return;
        await replace?.();
        replace = undefined;
      },
    });
    try {
      await withSink(front.url, {}, async ({ sink }) => {
        await writeAll(sink, rowsOf(4));
        replace = () => sink.write([replaced]);
        // Of four, one was written again and one is gone when the deletion comes.
        const removed = await sink.removeRows(rowsOf(4).map((row) => staleOf(row)));
        assert.equal(removed, 3);
        assert.equal(replace, undefined, 'nothing was replaced: this shows nothing');
        await sink.finish();
        assert.deepEqual(await allRows(sink), [replaced]);
      });
    } finally {
      await front.close();
    }
  });

  it('a row that is gone already is not counted', async () => {
    let remove: (() => Promise<unknown>) | undefined;
    const front = await startFront({
      upstream: openSearchUrl(),
      async before(_request, body) {
        if (body.includes('"delete"')) await remove?.();
      },
    });
    try {
      await withSink(front.url, {}, async ({ sink, index }) => {
        await writeAll(sink, rowsOf(3));
        remove = () =>
          call('DELETE', `${openSearchUrl()}/${index}/_doc/${aRow(1, DIMENSIONS).id}`).then(
            () => (remove = undefined),
          );
        assert.equal(await sink.removeRows(rowsOf(3).map((row) => staleOf(row))), 2);
        await sink.finish();
        assert.deepEqual(await allRows(sink), []);
      });
    } finally {
      await front.close();
    }
  });
});
