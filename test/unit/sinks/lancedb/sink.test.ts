import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { connect, type Table } from '@lancedb/lancedb';
import { isEmbatchError } from '#embatch/core/errors.js';
import type { Row, Sink } from '#embatch/core/interfaces.js';
import type { LanceDbOptions } from '#embatch/sinks/lancedb/config.js';
import { OBJECTS_PER_DELETE } from '#embatch/sinks/lancedb/predicates.js';
import { createLanceDbSink } from '#embatch/sinks/lancedb/sink.js';
import { describeSink } from '../../../conformance/sink-conformance.js';
import {
  aRow,
  allRows,
  byId,
  infoFor,
  recordingLog,
  unitVector,
  writeAll,
} from '../../../conformance/sink-rows.js';
import { tempFolder } from '../../../support/temp-folder.js';
import { unprivileged } from '../../../support/unprivileged.js';

const DIMENSIONS = 8;
const oneShard = { index: 0, count: 1 };

function open(folder: string, options: LanceDbOptions = {}, log = recordingLog()): Sink {
  return createLanceDbSink(`lancedb:${folder}`, options, { log, run: 'r', shard: oneShard });
}

async function prepared(folder: string, options: LanceDbOptions = {}, log = recordingLog()): Promise<Sink> {
  const sink = open(folder, options, log);
  await sink.prepare(infoFor(DIMENSIONS));
  return sink;
}

function manyRows(from: number, to: number): Row[] {
  return Array.from({ length: to - from }, (_, n) => aRow(from + n, DIMENSIONS));
}

/** Past our checks, as another program could. */
async function rawTable(folder: string): Promise<Table> {
  return (await connect(folder)).openTable('chunks');
}

describeSink({
  name: 'lancedb',
  createPlace: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'embatch-lancedb-'));
    const place = join(folder, 'vectors');
    return {
      open: (shard = oneShard) =>
        createLanceDbSink(`lancedb:${place}`, {}, { log: recordingLog(), run: 'r', shard }),
      makeForeign: async () => {
        const connection = await connect(place);
        await connection.createTable('chunks', [{ id: 'theirs', vector: [1, 2, 3] }]);
        connection.close();
      },
      doubleRows: async () => {
        const table = await rawTable(place);
        await table.add(await table.query().toArrow());
      },
      remove: () => rm(folder, { recursive: true, force: true }),
    };
  },
});

describe('LanceDB', () => {
  it('keeps every float32 as it is, and takes a vector of zeros', async (t) => {
    const sink = await prepared(await tempFolder(t));
    const rows = [
      { ...aRow(1, DIMENSIONS), vector: new Float32Array(DIMENSIONS) },
      {
        ...aRow(2, DIMENSIONS),
        vector: Float32Array.of(-0, 1e-45, -1e-38, 3.4e38, 0.1, 1 / 3, -1, 16777217),
      },
    ];
    await writeAll(sink, rows);
    assert.deepEqual(byId(await allRows(sink)), byId(rows));
    const hits = (await sink.search?.(unitVector(5, DIMENSIONS), 5)) ?? [];
    assert.ok(hits.every(({ score }) => Number.isFinite(score)));
  });

  it('keeps the last of several rows with one id in one write', async (t) => {
    const sink = await prepared(await tempFolder(t));
    const rows = [aRow(1, DIMENSIONS), aRow(2, DIMENSIONS), { ...aRow(1, DIMENSIONS), text: 'later' }];
    const outcomes = await sink.write(rows);
    assert.deepEqual(
      outcomes.map(({ ok }) => ok),
      [true, true, true],
    );
    assert.deepEqual(byId(await allRows(sink)), byId(rows.slice(1)));
  });

  it('two writers that insert the same new ids at once leave no duplicate', async (t) => {
    const folder = await tempFolder(t);
    const sinks = await Promise.all([0, 1, 2].map(() => prepared(folder)));
    for (let round = 0; round < 5; round++) {
      const rows = manyRows(round * 100, round * 100 + 100);
      await Promise.all(sinks.map((sink) => sink.write(rows)));
    }
    const [sink] = sinks;
    assert.ok(sink !== undefined);
    assert.deepEqual(byId(await allRows(sink)), byId(manyRows(0, 500)));
  });

  it('the last writer removes duplicates that others left, and says so', async (t) => {
    const folder = await tempFolder(t);
    const log = recordingLog();
    const sink = await prepared(folder, {}, log);
    await writeAll(sink, manyRows(0, 20));
    const table = await rawTable(folder);
    await table.add(await table.query().limit(7).toArrow());
    await table.add(await table.query().limit(3).toArrow());
    assert.equal(await table.countRows(), 30);
    await sink.finish({ lastWriter: false });
    await table.checkoutLatest();
    assert.equal(await table.countRows(), 30, 'not while others may write');
    await sink.finish({ lastWriter: true });
    assert.deepEqual(byId(await allRows(sink)), byId(manyRows(0, 20)));
    assert.match(log.lines.join('\n'), /warn: .*10 rows whose id was there already/);
  });

  it('finish of the last writer leaves one version and few files', async (t) => {
    const folder = await tempFolder(t);
    const sink = await prepared(folder);
    for (let n = 0; n < 10; n++) await sink.write(manyRows(n * 10, n * 10 + 10));
    await sink.finish({ lastWriter: true });
    const table = await rawTable(folder);
    assert.equal((await table.listVersions()).length, 1);
    assert.equal((await table.stats()).fragmentStats.numFragments, 1);
    const version = await table.version();
    await sink.finish({ lastWriter: true });
    await table.checkoutLatest();
    assert.equal(await table.version(), version, 'nothing to do is nothing done');
  });

  it('a writer goes on after another has pruned the files under it', async (t) => {
    const folder = await tempFolder(t);
    const [writer, other] = [await prepared(folder), await prepared(folder)];
    await writer.write(manyRows(0, 50));
    await other.write(manyRows(50, 100));
    await other.write(manyRows(20, 70));
    await other.finish({ lastWriter: true });
    // The same keys: the merge must read what is there.
    await writer.write(manyRows(0, 100));
    assert.deepEqual(byId(await allRows(writer)), byId(manyRows(0, 100)));
  });

  it('builds a vector index once there are rows enough, and finds older and newer rows by it', async (t) => {
    const folder = await tempFolder(t);
    const sink = await prepared(folder, { indexFromRows: 400 });
    await sink.write(manyRows(0, 300));
    await sink.finish({ lastWriter: true });
    const table = await rawTable(folder);
    assert.deepEqual(await table.listIndices(), []);
    await sink.write(manyRows(300, 600));
    await sink.finish({ lastWriter: false });
    assert.deepEqual(await table.listIndices(), []);
    await sink.finish({ lastWriter: true });
    await table.checkoutLatest();
    assert.deepEqual(
      (await table.listIndices()).map(({ columns, indexType }) => [columns, indexType]),
      [[['vector'], 'IvfFlat']],
    );
    await sink.write(manyRows(600, 700));
    for (const n of [0, 250, 599, 600, 699]) {
      const [hit] = (await sink.search?.(unitVector(n, DIMENSIONS), 1)) ?? [];
      assert.equal(hit?.id, aRow(n, DIMENSIONS).id);
      assert.ok(Math.abs(hit.score - 1) < 1e-5, String(hit.score));
    }
    await sink.finish({ lastWriter: true });
    assert.equal((await allRows(sink)).length, 700);
  });

  it('a removal is one version for hundreds of objects, and none where nothing is stale', async (t) => {
    const folder = await tempFolder(t);
    const sink = await prepared(folder);
    await sink.write(manyRows(0, 700));
    const table = await rawTable(folder);
    const version = await table.version();
    const stale = manyRows(0, 600).map(({ embatch }) => ({ object: embatch.object, keep: undefined }));
    assert.equal(await sink.removeRows(stale), 600);
    await table.checkoutLatest();
    assert.equal(await table.version(), version + Math.ceil(600 / OBJECTS_PER_DELETE));
    assert.equal(await sink.removeRows(stale), 0);
    await table.checkoutLatest();
    assert.equal(await table.version(), version + Math.ceil(600 / OBJECTS_PER_DELETE));
  });

  it('a vector index finds the living only, before and after the table is compacted', async (t) => {
    const folder = await tempFolder(t);
    const sink = await prepared(folder, { indexFromRows: 400 });
    await sink.write(manyRows(0, 600));
    await sink.finish({ lastWriter: true });
    const isGone = (n: number): boolean => n % 2 === 0;
    const gone = manyRows(0, 600).filter((_, n) => isGone(n));
    const stale = gone.map(({ embatch }) => ({ object: embatch.object, keep: undefined }));
    assert.equal(await sink.removeRows(stale), 300);
    const living = new Set(manyRows(0, 600).flatMap(({ id }, n) => (isGone(n) ? [] : [id])));
    const search = async (n: number): Promise<readonly string[]> =>
      ((await sink.search?.(unitVector(n, DIMENSIONS), 5)) ?? []).map(({ id }) => id);
    for (const when of ['before', 'after']) {
      for (let n = 0; n < 40; n++) {
        const ids = await search(n);
        assert.equal(ids.length, 5);
        assert.ok(
          ids.every((id) => living.has(id)),
          `${when}: a removed row was found near ${n}`,
        );
        if (!isGone(n)) assert.equal(ids[0], aRow(n, DIMENSIONS).id);
      }
      await sink.finish({ lastWriter: true });
    }
    const table = await rawTable(folder);
    assert.equal((await table.indexStats('vector_idx'))?.numIndexedRows, 300);
  });

  it('of many that create the table at once one does, and rows that it wrote at once stay', async (t) => {
    const folder = await tempFolder(t);
    for (let round = 0; round < 20; round++) {
      const place = join(folder, String(round));
      const sinks = await Promise.all(
        Array.from({ length: 6 }, async (_, n) => {
          const sink = open(place);
          const info = await sink.prepare(infoFor(DIMENSIONS));
          await sink.write([aRow(n, DIMENSIONS)]);
          return { sink, info };
        }),
      );
      assert.equal(new Set(sinks.map(({ info }) => info.indexId)).size, 1);
      const [first] = sinks;
      assert.ok(first !== undefined);
      assert.deepEqual(byId(await allRows(first.sink)), byId(manyRows(0, 6)));
      assert.deepEqual(await readdir(place), ['chunks.lance'], 'nothing is left behind');
    }
  });

  it('says what to do about a table that is damaged', async (t) => {
    const folder = await tempFolder(t);
    await mkdir(join(folder, 'chunks.lance', '_versions'), { recursive: true });
    for (const call of [() => open(folder).inspect(), () => open(folder).prepare(infoFor(DIMENSIONS))]) {
      await assert.rejects(
        call(),
        (error) => isEmbatchError(error, 'SINK') && error.message.includes('delete the folder chunks.lance'),
      );
    }
  });

  it('a table of ours among others leaves those alone, also when it is made anew', async (t) => {
    const folder = await tempFolder(t);
    const connection = await connect(folder);
    await connection.createTable('theirs', [{ id: 'x', vector: [1, 2] }]);
    const sink = await prepared(folder);
    await sink.prepare(infoFor(DIMENSIONS), { recreate: true });
    assert.deepEqual(await connection.tableNames(), ['chunks', 'theirs']);
  });

  it('a writer whose index was dropped and made anew is told, not let on', async (t) => {
    const folder = await tempFolder(t);
    const writer = await prepared(folder);
    await writer.write(manyRows(0, 10));
    const other = open(folder);
    await other.prepare(infoFor(DIMENSIONS), { recreate: true });
    await assert.rejects(
      writer.write(manyRows(0, 10)),
      (error) => isEmbatchError(error, 'SINK') && error.message.includes('dropped or made anew'),
    );
    assert.deepEqual(await allRows(other), []);
  });

  it('inspect makes no folder', async (t) => {
    const folder = join(await tempFolder(t), 'not', 'there');
    assert.equal(await open(folder).inspect(), undefined);
    assert.equal(existsSync(folder), false);
  });

  it('leases lie beside the table', async (t) => {
    const folder = await tempFolder(t);
    assert.equal(open(`${folder}/`).leaseUri, join(folder, '.embatch'));
  });

  it('a path through a file, and a folder without permission, are told in words', async (t) => {
    const folder = await tempFolder(t);
    await writeFile(join(folder, 'file'), '');
    await assert.rejects(
      open(join(folder, 'file', 'below')).prepare(infoFor(DIMENSIONS)),
      (error) => isEmbatchError(error, 'SINK') && error.message.includes('is a file, not a folder'),
    );
    await unprivileged(folder, async () => {
      await assert.rejects(
        open(join(folder, 'vectors')).prepare(infoFor(DIMENSIONS)),
        (error) => isEmbatchError(error, 'SINK') && error.message.includes('permission denied'),
      );
    });
  });

  for (const uri of ['lancedb:', 'lancedb', 'lancedb:http://host/x', 'jsonl:x']) {
    it(`refuses ${JSON.stringify(uri)}`, () => {
      assert.throws(
        () => createLanceDbSink(uri, {}, { log: recordingLog(), run: 'r', shard: oneShard }),
        (error) => isEmbatchError(error, 'USAGE'),
      );
    });
  }

  it('writes nothing to stdout, and lets the process end by itself', async (t) => {
    const folder = await tempFolder(t);
    const script = new URL('./use-and-end.js', import.meta.url).pathname;
    const { stdout } = await promisify(execFile)(process.execPath, [script, folder], { timeout: 60_000 });
    assert.equal(stdout, '');
    assert.equal((await allRows(await prepared(folder))).length, 10);
  });
});
