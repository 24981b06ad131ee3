import assert from 'node:assert/strict';
import type { Row, RowFacts, Sink } from '#embatch/core/interfaces.js';
import type { SinkCases } from './sink-conformance.js';
import { inWrites } from './sink-removal-cases.js';
import { aRow, allFacts, allRows, byId, chunksOf, unitVector, writeAll } from './sink-rows.js';

export interface LookUpCases extends SinkCases {
  /** How to double every row of the place of the case, where that can be done. */
  readonly doubleRows: () => (() => Promise<void>) | undefined;
}

/** What every sink promises of `get` and `facts`. */
export function describeLookUp({ check, open, prepared, dimensions, doubleRows }: LookUpCases): void {
  const written = (): Row[] => [
    ...chunksOf(1, dimensions, { chunks: 3 }),
    withRecord(aRow(2, dimensions), 12),
    withRecord(aRow(3, dimensions), '12'),
    withRecord(aRow(4, dimensions), 'ü "quoted" \\ 🙂'),
    { ...aRow(5, dimensions), text: `],"metadata":{ and ,"vector":[1],"metadata":{} "embatch":{` },
    {
      ...aRow(6, dimensions),
      text: '\ufeffü\n\u0000'.repeat(1000),
      vector: unitVector(6, dimensions).fill(-0, 0, 2),
    },
    {
      ...aRow(7, dimensions),
      metadata: {
        ...aRow(7, dimensions).metadata,
        source: `s3://bucket/it's "a" \\ ü.txt`,
        fields: { vector: [1], metadata: { chunk: 9 }, embatch: { version: 'not this' }, removed: {} },
      },
    },
  ];

  check('get gives whole rows, bit for bit, and leaves out what is not there', async () => {
    const sink = await prepared();
    await writeAll(sink, written());
    const wanted = written().filter((_, n) => n % 2 === 0);
    const ids = [...wanted.map(({ id }) => id), aRow(99, dimensions).id, `it's \\ "no" id 🙂`];
    assert.deepEqual(byId(await sink.get(ids)), byId(wanted));
    const reader = await open();
    await reader.inspect();
    assert.deepEqual(byId(await reader.get(ids)), byId(wanted), 'after inspect alone');
  });

  check('get of nothing gives nothing, and an id that is asked for twice comes once', async () => {
    const sink = await prepared();
    assert.deepEqual(await sink.get([aRow(1, dimensions).id]), [], 'in an empty index');
    await writeAll(sink, written());
    assert.deepEqual(await sink.get([]), []);
    const { id } = aRow(2, dimensions);
    assert.deepEqual(await sink.get([id, id]), [withRecord(aRow(2, dimensions), 12)]);
  });

  check('get finds thousands of ids, among them some that are not there', async () => {
    const sink = await prepared();
    const rows = Array.from({ length: 3500 }, (_, n) => aRow(n, dimensions));
    await inWrites(sink, rows);
    await sink.finish({ lastWriter: true });
    const ids = Array.from({ length: 5000 }, (_, n) => aRow(n + 500, dimensions).id);
    assert.deepEqual(byId(await sink.get(ids)), byId(rows.slice(500)));
  });

  check('get sees what was written, replaced and removed a moment ago', async () => {
    const sink = await prepared();
    const [one, two, three] = [1, 2, 3].map((n) => aRow(n, dimensions)) as [Row, Row, Row];
    await writeAll(sink, [one, two]);
    const replaced = { ...two, text: 'second version' };
    await sink.write([three, replaced]);
    await sink.removeRows([{ object: one.embatch.object, keep: undefined }]);
    assert.deepEqual(byId(await sink.get([one.id, two.id, three.id])), byId([replaced, three]));
  });

  check('facts say of every row what the row says', async () => {
    const sink = await prepared();
    assert.deepEqual(await allFacts(sink), [], 'in an empty index');
    await writeAll(sink, written());
    assert.deepEqual(sorted(await allFacts(sink)), sorted(written().map(factsOf)));
    const reader = await open();
    await reader.inspect();
    assert.deepEqual(sorted(await allFacts(reader)), sorted(await scanned(reader)), 'what scan says');
  });

  check('facts include what was written, replaced and removed a moment ago', async () => {
    const sink = await prepared();
    await writeAll(sink, chunksOf(1, dimensions, { chunks: 3 }));
    const now = chunksOf(1, dimensions, { chunks: 1, version: 'v2', fingerprint: 'f-2' });
    await sink.write([...now, ...chunksOf(2, dimensions, { chunks: 2 })]);
    await sink.removeRows([
      { object: now[0]?.embatch.object ?? '', keep: { version: 'v2', fingerprint: 'f-2' } },
    ]);
    const expected = [...now, ...chunksOf(2, dimensions, { chunks: 2 })];
    assert.deepEqual(sorted(await allFacts(sink)), sorted(expected.map(factsOf)));
  });

  check('facts of many rows come all, in more than one batch', async () => {
    const sink = await prepared();
    const rows = Array.from({ length: 4000 }, (_, n) => aRow(n, dimensions));
    await inWrites(sink, rows);
    await sink.finish({ lastWriter: true });
    assert.deepEqual(sorted(await allFacts(sink)), sorted(rows.map(factsOf)));
  });

  check('facts can be left early, and stop where the signal fires', async () => {
    const sink = await prepared();
    await writeAll(sink, written());
    const left = sink.facts()[Symbol.asyncIterator]();
    assert.equal((await left.next()).done, false);
    await left.return?.();
    const stopping = new AbortController();
    const reason = new Error('enough');
    const read = async (): Promise<void> => {
      for await (const { id } of sink.facts({ signal: stopping.signal })) {
        assert.ok(id.length > 0);
        stopping.abort(reason);
      }
    };
    await assert.rejects(read(), (error) => error === reason);
    assert.equal((await allFacts(sink)).length, written().length);
  });

  check('facts show a row that is there twice as two', async (t) => {
    const double = doubleRows();
    if (double === undefined) {
      t.skip('this store cannot hold an id twice');
      return;
    }
    const sink = await prepared();
    await writeAll(sink, [aRow(1, dimensions), aRow(2, dimensions)]);
    await double();
    const twice = [1, 1, 2, 2].map((n) => factsOf(aRow(n, dimensions)));
    assert.deepEqual(sorted(await allFacts(sink)), sorted(twice));
    assert.equal((await sink.get([aRow(1, dimensions).id])).length, 2);
    assert.equal(
      await sink.removeRows([{ object: aRow(1, dimensions).embatch.object, keep: undefined }]),
      2,
      'both go',
    );
    assert.deepEqual(sorted(await allFacts(sink)), sorted(twice.slice(2)));
  });
}

function withRecord(row: Row, record: string | number): Row {
  return { ...row, metadata: { ...row.metadata, record } };
}

/** Written out once more: the product's own must not be judged by itself. */
function factsOf({ id, metadata, embatch }: Row): RowFacts {
  return {
    id,
    source: metadata.source,
    record: metadata.record,
    chunk: metadata.chunk,
    chunks: metadata.chunks,
    version: embatch.version,
    fingerprint: embatch.fingerprint,
  };
}

async function scanned(sink: Sink): Promise<RowFacts[]> {
  return (await allRows(sink)).map(factsOf);
}

function sorted(facts: readonly RowFacts[]): RowFacts[] {
  return [...facts].sort((a, b) => (a.id < b.id ? -1 : Number(a.id > b.id)));
}
