import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import { hash53 } from '#embatch/core/id-hashes.js';
import type { Row, Sink } from '#embatch/core/interfaces.js';
import { lineOfRow } from '#embatch/sinks/jsonl/lines.js';
import { createJsonlSink } from '#embatch/sinks/jsonl/sink.js';
import { describeSink } from '../../../conformance/sink-conformance.js';
import { aRow, allRows, byId, infoFor, recordingLog, writeAll } from '../../../conformance/sink-rows.js';
import { tempFolder } from '../../../support/temp-folder.js';
import { unprivileged } from '../../../support/unprivileged.js';

const DIMENSIONS = 8;
const oneShard = { index: 0, count: 1 };

function open(folder: string, run: string, shard = oneShard): Sink {
  return createJsonlSink(`jsonl:${folder}`, {}, { log: recordingLog(), run, shard });
}

async function prepared(folder: string, run: string, shard = oneShard): Promise<Sink> {
  const sink = open(folder, run, shard);
  await sink.prepare(infoFor(DIMENSIONS));
  return sink;
}

function manyRows(from: number, to: number): Row[] {
  return Array.from({ length: to - from }, (_, n) => aRow(from + n, DIMENSIONS));
}

/** Ids of each file, as any program would read them. */
async function idsByFile(folder: string): Promise<Record<string, string[]>> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.jsonl')).sort();
  const files = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return Object.fromEntries(
    files.map((text, n) => [
      names[n] ?? '',
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as Row).id),
    ]),
  );
}

describeSink({
  name: 'jsonl',
  createPlace: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'embatch-jsonl-'));
    const place = join(folder, 'out');
    let runs = 0;
    return {
      open: (shard = oneShard) => open(place, `20261121t100000z-${String(runs++).padStart(4, '0')}`, shard),
      makeForeign: async () => {
        await mkdir(place);
        await writeFile(join(place, 'theirs.jsonl'), '{"id":1}\n');
      },
      remove: () => rm(folder, { recursive: true, force: true }),
    };
  },
});

describe('JSONL', () => {
  it('a second run over the same source leaves one row of each id in the folder, its own', async (t) => {
    const folder = await tempFolder(t);
    for (const run of ['run-1', 'run-2']) {
      const sink = await prepared(folder, run);
      await sink.write(manyRows(0, 5));
      await sink.write(manyRows(5, 10));
      await sink.finish({ lastWriter: true });
      await sink.close();
    }
    assert.deepEqual(await idsByFile(folder), {
      'part-0-of-1-run-2.jsonl': manyRows(0, 10).map(({ id }) => id),
    });
    assert.deepEqual((await readdir(folder)).sort(), ['part-0-of-1-run-2.jsonl', 'recipe.json']);
  });

  it('only what was replaced leaves the older files', async (t) => {
    const folder = await tempFolder(t);
    const first = await prepared(folder, 'run-1');
    await writeAll(first, manyRows(0, 10));
    const second = await prepared(folder, 'run-2');
    await writeAll(second, [{ ...aRow(3, DIMENSIONS), text: 'new' }, aRow(10, DIMENSIONS)]);
    const ids = await idsByFile(folder);
    assert.deepEqual(
      ids['part-0-of-1-run-1.jsonl'],
      manyRows(0, 10)
        .filter((_, n) => n !== 3)
        .map(({ id }) => id),
    );
    assert.equal(ids['part-0-of-1-run-2.jsonl']?.length, 2);
    assert.ok((await allRows(second)).some(({ text }) => text === 'new'));
  });

  it('a shard leaves the files of others alone while they may write; the last one does not', async (t) => {
    const folder = await tempFolder(t);
    await writeAll(await prepared(folder, 'run-1', { index: 0, count: 3 }), manyRows(0, 4));
    const shard = await prepared(folder, 'run-2', { index: 0, count: 2 });
    await shard.write(manyRows(0, 6));
    await shard.finish({ lastWriter: false });
    assert.deepEqual(
      Object.values(await idsByFile(folder)).map((ids) => ids.length),
      [6, 4],
    );
    assert.equal((await allRows(shard)).length, 6, 'a reader sees each id once all the same');
    await shard.finish({ lastWriter: true });
    assert.deepEqual(
      Object.values(await idsByFile(folder)).map((ids) => ids.length),
      [6],
    );
  });

  it('a torn last line is ignored by readers and removed by finish', async (t) => {
    const folder = await tempFolder(t);
    const sink = await prepared(folder, 'run-1');
    await sink.write(manyRows(0, 3));
    await sink.close();
    const file = join(folder, 'part-0-of-1-run-1.jsonl');
    await appendFile(file, lineOfRow(aRow(3, DIMENSIONS)).slice(0, 100));
    const next = await prepared(folder, 'run-2');
    assert.deepEqual(byId(await allRows(next)), byId(manyRows(0, 3)));
    await next.finish({ lastWriter: true });
    assert.equal((await readFile(file, 'utf8')).split('\n').length, 4);
    assert.ok((await readFile(file, 'utf8')).endsWith('}\n'));
  });

  it('a torn row that looks complete but for its end does not count', async (t) => {
    const folder = await tempFolder(t);
    const sink = await prepared(folder, 'run-1');
    await sink.write([aRow(0, DIMENSIONS)]);
    await sink.close();
    const torn = lineOfRow({ ...aRow(0, DIMENSIONS), text: 'never acknowledged' }).trimEnd();
    await writeFile(join(folder, 'part-0-of-1-run-2.jsonl'), torn);
    const next = await prepared(folder, 'run-3');
    assert.deepEqual(await allRows(next), [aRow(0, DIMENSIONS)]);
    await next.finish({ lastWriter: true });
    assert.deepEqual(Object.keys(await idsByFile(folder)), ['part-0-of-1-run-1.jsonl']);
  });

  it('what was acknowledged survives a SIGKILL in the middle of a write', async (t) => {
    const folder = await tempFolder(t);
    for (let round = 0; round < 3; round++) {
      const place = join(folder, String(round));
      const child = fork(new URL('./write-until-killed.js', import.meta.url), [place, 'run-1']);
      let acknowledged = 0;
      while (acknowledged < 500 * (round + 1)) [acknowledged] = (await once(child, 'message')) as [number];
      child.on('message', (count) => (acknowledged = count as number));
      child.kill('SIGKILL');
      await once(child, 'exit');
      const sink = await prepared(place, 'run-2');
      await sink.finish({ lastWriter: true });
      const rows = await allRows(sink);
      assert.ok(rows.length >= acknowledged, `${rows.length} of ${acknowledged}`);
      assert.deepEqual(byId(rows), byId(manyRows(0, rows.length)));
    }
  });

  it('two of one shard and one run never share a file', async (t) => {
    const folder = await tempFolder(t);
    const twins = [await prepared(folder, 'same-run'), await prepared(folder, 'same-run')];
    await Promise.all(twins.map((twin, n) => twin.write(manyRows(n * 10, n * 10 + 10))));
    assert.deepEqual(
      Object.values(await idsByFile(folder)).map((ids) => ids.length),
      [10, 10],
    );
    assert.equal((await allRows(await prepared(folder, 'x'))).length, 20);
  });

  it('ids of one hash are told apart', async (t) => {
    const [one, other] = ['id-bua8g\u4e00', 'id-d60b9\ua89a'] as const;
    assert.equal(hash53(one), hash53(other), 'found by search; another hash needs other ids');
    const rowOf = (id: string, text: string): Row => ({
      ...aRow(text === 'first' ? 1 : 2, DIMENSIONS),
      id,
      text,
    });
    const histories: readonly (readonly Row[])[] = [
      [rowOf(one, 'first'), rowOf(other, 'first')],
      [rowOf(one, 'first'), rowOf(other, 'first'), rowOf(one, 'then')],
      [rowOf(one, 'first'), rowOf(other, 'first'), rowOf(other, 'then')],
      [rowOf(other, 'first'), rowOf(one, 'first'), rowOf(one, 'then'), rowOf(other, 'then')],
    ];
    for (const [n, history] of histories.entries()) {
      const folder = join(await tempFolder(t), String(n));
      const sink = await prepared(folder, 'run-1');
      for (const row of history) await sink.write([row]);
      const expected = byId([...new Map(history.map((row) => [row.id, row])).values()]);
      assert.deepEqual(byId(await allRows(sink)), expected);
      await sink.finish({ lastWriter: true });
      assert.deepEqual(byId(await allRows(sink)), expected);
      const { object } = aRow(1, DIMENSIONS).embatch;
      assert.equal(
        await sink.removeRows([{ object, keep: undefined }]),
        expected.filter(({ text }) => text === 'first').length,
      );
    }
  });

  it('a recipe of another program, or none beside its files, is not ours', async (t) => {
    const folder = await tempFolder(t);
    for (const text of ['{"name":"a recipe"}', 'not json', '']) {
      await writeFile(join(folder, 'recipe.json'), text);
      await assert.rejects(open(folder, 'r').inspect(), (error) => isEmbatchError(error, 'USAGE'));
      assert.equal(await readFile(join(folder, 'recipe.json'), 'utf8'), text);
    }
  });

  it('recreate removes rows and recipe, and nothing else', async (t) => {
    const folder = await tempFolder(t);
    await writeAll(await prepared(folder, 'run-1'), manyRows(0, 3));
    await writeFile(join(folder, 'README.md'), 'mine');
    await mkdir(join(folder, '.embatch'));
    const wanted = infoFor(DIMENSIONS);
    const info = await open(folder, 'run-2').prepare(wanted, { recreate: true });
    assert.equal(info.indexId, wanted.indexId);
    assert.deepEqual((await readdir(folder)).sort(), ['.embatch', 'README.md', 'recipe.json']);
  });

  it('a line that is no row is told with its file', async (t) => {
    const folder = await tempFolder(t);
    await writeAll(await prepared(folder, 'run-1'), manyRows(0, 3));
    await appendFile(join(folder, 'part-0-of-1-run-1.jsonl'), 'someone was here\n');
    const sink = await prepared(folder, 'run-2');
    const isTold = (error: unknown): boolean =>
      isEmbatchError(error, 'SINK') &&
      error.message.includes('part-0-of-1-run-1.jsonl holds a line that is no row');
    await assert.rejects(allRows(sink), isTold);
    await assert.rejects(sink.finish({ lastWriter: true }), isTold);
  });

  it('a path through a file, and a folder without permission, are told in words', async (t) => {
    const folder = await tempFolder(t);
    await writeFile(join(folder, 'file'), '');
    await assert.rejects(
      open(join(folder, 'file', 'below'), 'r').prepare(infoFor(DIMENSIONS)),
      (error) => isEmbatchError(error, 'SINK') && error.message.includes('is a file, not a folder'),
    );
    await unprivileged(folder, async () => {
      await assert.rejects(
        open(join(folder, 'out'), 'r').prepare(infoFor(DIMENSIONS)),
        (error) => isEmbatchError(error, 'SINK') && error.message.includes('permission denied'),
      );
    });
  });

  for (const uri of ['jsonl:', 'jsonl', 'jsonl:http://host/x', 'lancedb:x']) {
    it(`refuses ${JSON.stringify(uri)}`, () => {
      assert.throws(
        () => createJsonlSink(uri, {}, { log: recordingLog(), run: 'r', shard: oneShard }),
        (error) => isEmbatchError(error, 'USAGE'),
      );
    });
  }
});
