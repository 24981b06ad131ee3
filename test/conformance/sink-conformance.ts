import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import type { IndexInfo, Row, Sink, WriteOutcome } from '#embatch/core/interfaces.js';
import { describeLookUp } from './sink-look-up-cases.js';
import { describeRemoval } from './sink-removal-cases.js';
import { aRow, allFacts, allRows, byId, infoFor, unitVector, writeAll } from './sink-rows.js';

/** What the cases of one suite share. */
export interface SinkCases {
  readonly dimensions: number;
  /** Registers a case that has a fresh place to itself. */
  readonly check: (name: string, body: (t: TestContext) => Promise<void>) => void;
  /** Another instance on the place of the case, closed at its end. */
  readonly open: (shard?: { readonly index: number; readonly count: number }) => Promise<Sink>;
  /** The same, prepared. */
  readonly prepared: (info?: IndexInfo) => Promise<Sink>;
}

/** A fresh, empty place where an index may lie; every case gets its own. */
export interface SinkPlace {
  /** Another instance on the same place, as another process would open it. */
  open(shard?: { readonly index: number; readonly count: number }): Sink | Promise<Sink>;
  /** Puts an index there that embatch did not make; absent where a store cannot hold one. */
  makeForeign?(): Promise<void>;
  /** Puts a second copy of every row there past embatch; absent where a store cannot hold one. */
  readonly doubleRows?: () => Promise<void>;
  remove(): Promise<void>;
}

export interface SinkConformance {
  /** In the names of the cases. */
  readonly name: string;
  readonly dimensions?: number;
  /** A visible reason not to run, such as a server that is not there. */
  readonly skip?: string | false | undefined;
  createPlace(): Promise<SinkPlace>;
}

const DIMENSIONS = 16;

/** Registers what every sink promises (core/interfaces.ts) as cases of `node:test`. */
export function describeSink(suite: SinkConformance): void {
  const dimensions = suite.dimensions ?? DIMENSIONS;
  const options = { skip: suite.skip ?? false };

  describe(`sink: ${suite.name}`, options, () => {
    let place: SinkPlace;
    const opened: Sink[] = [];

    const open = async (shard?: { index: number; count: number }): Promise<Sink> => {
      const sink = await place.open(shard);
      opened.push(sink);
      return sink;
    };
    const prepared = async (info: IndexInfo = infoFor(dimensions)): Promise<Sink> => {
      const sink = await open();
      await sink.prepare(info);
      return sink;
    };
    const check = (name: string, body: (t: TestContext) => Promise<void>): void => {
      it(name, async (t) => {
        place = await suite.createPlace();
        try {
          await body(t);
        } finally {
          await Promise.all(opened.splice(0).map((sink) => sink.close()));
          await place.remove();
        }
      });
    };

    // ── The index ──────────────────────────────────────────────────────────────────────────────────

    check('inspect finds nothing where there is nothing, and makes nothing', async () => {
      assert.equal(await (await open()).inspect(), undefined);
      assert.equal(await (await open()).inspect(), undefined);
    });

    check('prepare creates the index, later ones open it with what it was created for', async () => {
      const wanted = infoFor(dimensions);
      assert.deepEqual(await (await open()).prepare(wanted), wanted);
      assert.deepEqual(await (await open()).prepare(infoFor(dimensions)), wanted);
      assert.deepEqual(await (await open()).inspect(), wanted);
    });

    check('prepare by several at once creates one index', async () => {
      const sinks = await Promise.all([0, 1, 2, 3].map((index) => open({ index, count: 4 })));
      const infos = await Promise.all(sinks.map((sink) => sink.prepare(infoFor(dimensions))));
      assert.equal(new Set(infos.map((info) => info.indexId)).size, 1);
      assert.deepEqual(await (await open()).inspect(), infos[0]);
    });

    check('another number of dimensions is refused, the index stays as it was', async () => {
      const sink = await prepared();
      await writeAll(sink, [aRow(1, dimensions)]);
      await assert.rejects(
        (await open()).prepare(infoFor(dimensions * 2)),
        (error) => isEmbatchError(error, 'USAGE') && error.message.includes(String(dimensions * 2)),
      );
      assert.equal((await allRows(await prepared())).length, 1);
    });

    check('another space is refused', async () => {
      await prepared();
      await assert.rejects(
        (await open()).prepare(infoFor(dimensions, { space: { pooling: 'cls' } })),
        (error) => isEmbatchError(error, 'USAGE') && error.message.includes('pooling'),
      );
    });

    check('another text half is accepted, the index keeps its own', async () => {
      const wanted = infoFor(dimensions);
      await prepared(wanted);
      const got = await (await open()).prepare(infoFor(dimensions, { text: { chunkTokens: 128 } }));
      assert.deepEqual(got, wanted);
    });

    check('recreate drops what is there and makes a new index', async () => {
      const sink = await prepared();
      await writeAll(sink, [aRow(1, dimensions)]);
      await sink.close();
      const wanted = infoFor(dimensions * 2, { space: { pooling: 'cls' } });
      const fresh = await open();
      assert.deepEqual(await fresh.prepare(wanted, { recreate: true }), wanted);
      assert.deepEqual(await allRows(fresh), []);
      await writeAll(fresh, [aRow(2, dimensions * 2)]);
      assert.equal((await allRows(fresh)).length, 1);
    });

    check('recreate where there is nothing makes an index', async () => {
      const wanted = infoFor(dimensions);
      assert.deepEqual(await (await open()).prepare(wanted, { recreate: true }), wanted);
    });

    check('an index that is not ours is refused and left alone', async (t) => {
      if (place.makeForeign === undefined) {
        t.skip('this store cannot hold an index that is not ours');
        return;
      }
      await place.makeForeign();
      const notOurs = (error: unknown): boolean => isEmbatchError(error, 'USAGE');
      await assert.rejects((await open()).inspect(), notOurs);
      await assert.rejects((await open()).prepare(infoFor(dimensions)), notOurs);
      await assert.rejects((await open()).prepare(infoFor(dimensions), { recreate: true }), notOurs);
    });

    // ── Rows ───────────────────────────────────────────────────────────────────────────────────────

    check('rows come back bit for bit', async () => {
      const sink = await prepared();
      const rows = oddRows(dimensions);
      await writeAll(sink, rows);
      assert.deepEqual(byId(await allRows(await prepared())), byId(rows));
    });

    check('rows written twice, also by another instance, change nothing', async () => {
      const rows = Array.from({ length: 20 }, (_, n) => aRow(n, dimensions));
      await writeAll(await prepared(), rows);
      const again = await prepared();
      await writeAll(again, rows);
      await writeAll(again, rows.slice(5, 10));
      assert.deepEqual(byId(await allRows(await prepared())), byId(rows));
    });

    check('a row written again replaces the former one', async () => {
      const sink = await prepared();
      await writeAll(sink, [aRow(1, dimensions), aRow(2, dimensions)]);
      const changed: Row = {
        ...aRow(1, dimensions),
        text: 'changed',
        vector: unitVector(77, dimensions),
        metadata: { ...aRow(1, dimensions).metadata, etag: 'v2', fields: { now: 'has fields' } },
        embatch: { ...aRow(1, dimensions).embatch, version: 'v2' },
      };
      await writeAll(sink, [changed]);
      assert.deepEqual(byId(await allRows(await prepared())), byId([changed, aRow(2, dimensions)]));
    });

    check('a refused row is told with its reason and takes no other down', async () => {
      const sink = await prepared();
      const rows: Row[] = [
        aRow(1, dimensions),
        { ...aRow(2, dimensions), vector: unitVector(2, dimensions).fill(NaN, 3, 4) },
        aRow(3, dimensions),
        { ...aRow(4, dimensions), vector: unitVector(4, dimensions - 1) },
        { ...aRow(5, dimensions), vector: unitVector(5, dimensions * 2) },
        { ...aRow(6, dimensions), vector: unitVector(6, dimensions).fill(Infinity, 0, 1) },
        { ...aRow(7, dimensions), vector: new Float32Array(0) },
        aRow(8, dimensions),
      ];
      const outcomes = await sink.write(rows);
      assert.deepEqual(
        outcomes.map(({ ok }) => ok),
        [true, false, true, false, false, false, false, true],
      );
      for (const outcome of outcomes) {
        assert.ok(outcome.attempts >= 1);
        if (!outcome.ok) assert.ok(outcome.reason.length > 10, `a reason in words, not '${outcome.reason}'`);
      }
      await sink.finish({ lastWriter: true });
      const kept = [1, 3, 8].map((n) => aRow(n, dimensions));
      assert.deepEqual(byId(await allRows(sink)), byId(kept));
    });

    check('writing nothing is allowed', async () => {
      const sink = await prepared();
      assert.deepEqual(await sink.write([]), []);
      await sink.finish({ lastWriter: true });
      assert.deepEqual(await allRows(sink), []);
    });

    check('two shards at once end in the same index as one', async () => {
      const rows = Array.from({ length: 40 }, (_, n) => aRow(n, dimensions));
      const halves = [rows.slice(0, 20), rows.slice(20)];
      const info = infoFor(dimensions);
      const sinks = await Promise.all(halves.map((_, index) => open({ index, count: 2 })));
      await Promise.all(sinks.map((sink) => sink.prepare(info)));
      await Promise.all(
        sinks.map(async (sink, index) => {
          const mine = halves[index] ?? [];
          for (let start = 0; start < mine.length; start += 5) {
            allOk(await sink.write(mine.slice(start, start + 5)));
          }
        }),
      );
      await sinks[0]?.finish({ lastWriter: false });
      await sinks[1]?.finish({ lastWriter: true });
      for (const sink of sinks) await sink.close();
      assert.deepEqual(byId(await allRows(await prepared(info))), byId(rows));
    });

    check('as many writes at once as the limits allow lose nothing', async () => {
      const sink = await prepared();
      const batches = Array.from({ length: sink.limits.concurrency * 2 }, (_, batch) =>
        Array.from({ length: 10 }, (_row, n) => aRow(batch * 10 + n, dimensions)),
      );
      for (let start = 0; start < batches.length; start += sink.limits.concurrency) {
        const atOnce = batches.slice(start, start + sink.limits.concurrency);
        for (const outcomes of await Promise.all(atOnce.map((rows) => sink.write(rows)))) allOk(outcomes);
      }
      await sink.finish({ lastWriter: true });
      assert.deepEqual(byId(await allRows(sink)), byId(batches.flat()));
    });

    check('the size of a row grows with its text', async () => {
      const sink = await prepared();
      const size = sink.sizeOf(aRow(1, dimensions));
      const larger = sink.sizeOf({ ...aRow(1, dimensions), text: 'x'.repeat(10_000) });
      assert.ok(size > 0 && larger >= size + 9_000, `${size} bytes, then ${larger}`);
      assert.ok(sink.limits.maxBytes > larger && sink.limits.maxRows >= 100);
    });

    // ── Search ─────────────────────────────────────────────────────────────────────────────────────

    check('what was written is found right after finish, best first, with cosine scores', async (t) => {
      const sink = await prepared();
      if (sink.search === undefined) {
        t.skip('this sink cannot search');
        return;
      }
      const rows = Array.from({ length: 30 }, (_, n) => aRow(n, dimensions));
      // The length of a vector has no say in its direction.
      rows[7] = { ...aRow(7, dimensions), vector: unitVector(7, dimensions).map((value) => value * 3) };
      await writeAll(sink, rows);
      const query = unitVector(7, dimensions).map((value, n) => 2 * value + (n === 0 ? 0.1 : 0));
      const hits = await sink.search(query, 10);
      const expected = rows
        .map((row) => ({ id: row.id, score: cosine(query, row.vector) }))
        .sort((a, b) => b.score - a.score)
        .slice(0, 10);
      assert.deepEqual(
        hits.map(({ id }) => id),
        expected.map(({ id }) => id),
      );
      for (const [n, hit] of hits.entries()) {
        assert.ok(Math.abs(hit.score - (expected[n]?.score ?? NaN)) < 1e-5, `score ${hit.score} of hit ${n}`);
        const row = rows.find(({ id }) => id === hit.id);
        assert.deepEqual([hit.text, hit.metadata], [row?.text, row?.metadata]);
      }
    });

    check(
      'search after inspect alone works, asks for more than there is, and finds replaced rows',
      async (t) => {
        const sink = await prepared();
        if (sink.search === undefined) {
          t.skip('this sink cannot search');
          return;
        }
        await writeAll(sink, [aRow(1, dimensions), aRow(2, dimensions)]);
        await writeAll(sink, [{ ...aRow(1, dimensions), text: 'second version' }]);
        const reader = await open();
        await reader.inspect();
        const hits = (await reader.search?.(unitVector(1, dimensions), 50)) ?? [];
        assert.deepEqual(
          hits.map(({ text }) => text),
          ['second version', aRow(2, dimensions).text],
        );
      },
    );

    check('search in an empty index finds nothing', async (t) => {
      const sink = await prepared();
      await sink.finish({ lastWriter: true });
      if (sink.search === undefined) {
        t.skip('this sink cannot search');
        return;
      }
      assert.deepEqual(await sink.search(unitVector(1, dimensions), 5), []);
    });

    describeRemoval({ check, open, prepared, dimensions });
    describeLookUp({ check, open, prepared, dimensions, doubleRows: () => place.doubleRows });

    // ── Life ───────────────────────────────────────────────────────────────────────────────────────

    check('a signal that fired stops every call with its reason', async () => {
      const sink = await prepared();
      const reason = new Error('enough');
      const signal = AbortSignal.abort(reason);
      const isReason = (error: unknown): boolean => error === reason;
      await assert.rejects(sink.inspect({ signal }), isReason);
      await assert.rejects(sink.prepare(infoFor(dimensions), { signal }), isReason);
      await assert.rejects(sink.write([aRow(1, dimensions)], { signal }), isReason);
      await assert.rejects(sink.finish({ signal, lastWriter: true }), isReason);
      await assert.rejects(allRows(sink, signal), isReason);
      await assert.rejects(allFacts(sink, signal), isReason);
      await assert.rejects(sink.get([aRow(1, dimensions).id], { signal }), isReason);
      const { object } = aRow(1, dimensions).embatch;
      await assert.rejects(sink.removeRows([{ object, keep: undefined }], { signal }), isReason);
      if (sink.search !== undefined) {
        await assert.rejects(sink.search(unitVector(1, dimensions), 1, { signal }), isReason);
      }
      await sink.finish({ lastWriter: true });
      assert.deepEqual(await allRows(sink), []);
    });

    check('close may be called twice, and keeps what was acknowledged', async () => {
      const sink = await prepared();
      allOk(await sink.write([aRow(1, dimensions)]));
      await sink.close();
      await sink.close();
      const next = await prepared();
      await next.finish({ lastWriter: true });
      assert.deepEqual(await allRows(next), [aRow(1, dimensions)]);
    });

    check('close without anything before it is fine', async () => {
      await (await open()).close();
    });
  });
}

function allOk(outcomes: readonly WriteOutcome[]): void {
  assert.deepEqual(
    outcomes.filter(({ ok }) => !ok),
    [],
  );
}

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array): number =>
    x.reduce((sum, value, n) => sum + value * (y[n] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** Everything that a store might bend: escapes, types, missing fields, sizes. */
function oddRows(dimensions: number): Row[] {
  const texts = [
    'plain',
    ' leading and trailing \n',
    'line\r\nfeeds\ttabs \u2028\u2029 and \u0000 nul \u0001',
    '\ufeffmark, ünï → 漢字 🙂 e\u0301',
    `"quotes" 'single' \\back\\slash \${x} %s {{y}}`,
    'long '.repeat(40_000),
  ];
  const metadata: readonly Partial<Row['metadata']>[] = [
    {},
    { record: 12 },
    { record: '12' },
    { record: 0, title: '', heading: 'A > B "C" > é', content_type: 'text/html; charset=utf-8' },
    { record: '"quoted" \\ \n id', title: 'null', fields: {} },
    {
      record: Number.MAX_SAFE_INTEGER,
      source: 's3://bucket/a b/ü+%20?#.txt',
      key: 'a b/ü+%20?#.txt',
      fields: {
        number: 1.5,
        text: '12',
        truth: true,
        nothing: null,
        list: [1, 'two', { three: [3, [4]] }],
        nested: { deeply: { 'with "odd" key': ['é', '🙂'] }, empty: {}, none: [] },
        'dotted.name': 'x',
        unicode_ключ: 'значение',
      },
    },
  ];
  return texts.map((text, n): Row => {
    const row = aRow(n, dimensions);
    return { ...row, text, metadata: { ...row.metadata, ...metadata[n] } };
  });
}
