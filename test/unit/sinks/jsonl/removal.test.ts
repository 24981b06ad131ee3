import assert from 'node:assert/strict';
import { appendFile, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Row, Sink, StaleRows } from '#embatch/core/interfaces.js';
import { compactParts } from '#embatch/sinks/jsonl/compaction.js';
import { lineOfRemoval, lineOfRow } from '#embatch/sinks/jsonl/lines.js';
import { createLocalPlace } from '#embatch/sinks/jsonl/local-place.js';
import { partsOf } from '#embatch/sinks/jsonl/parts.js';
import type { Place } from '#embatch/sinks/jsonl/place.js';
import { RowLog } from '#embatch/sinks/jsonl/row-log.js';
import { createJsonlSink } from '#embatch/sinks/jsonl/sink.js';
import { allFacts, allRows, byId, chunksOf, infoFor, recordingLog } from '../../../conformance/sink-rows.js';
import { tempFolder } from '../../../support/temp-folder.js';

const DIMENSIONS = 4;
const oneShard = { index: 0, count: 1 };

async function prepared(folder: string, run: string, shard = oneShard): Promise<Sink> {
  const sink = createJsonlSink(`jsonl:${folder}`, {}, { log: recordingLog(), run, shard });
  await sink.prepare(infoFor(DIMENSIONS));
  return sink;
}

function chunks(n: number, version = 'v1', count = 2): Row[] {
  return chunksOf(n, DIMENSIONS, { chunks: count, version });
}

function allOf(n: number): StaleRows {
  return { object: chunks(n)[0]?.embatch.object ?? '', keep: undefined };
}

function allBut(n: number, version: string): StaleRows {
  const { object = '', fingerprint = '' } = chunks(n)[0]?.embatch ?? {};
  return { object, keep: { version, fingerprint } };
}

/** What stands in each file, in short. */
async function linesByFile(folder: string): Promise<Record<string, string[]>> {
  const names = partsOf(await readdir(folder)).map(({ name }) => name);
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return Object.fromEntries(
    texts.map((text, n) => [
      names[n] ?? '',
      text
        .trimEnd()
        .split('\n')
        .map((line) => {
          const { removed, metadata } = JSON.parse(line) as {
            removed?: StaleRows;
            metadata: Row['metadata'];
          };
          if (removed !== undefined)
            return removed.keep === undefined ? 'removed' : `but ${removed.keep.version}`;
          return `${metadata.key} ${metadata.etag}`;
        }),
    ]),
  );
}

describe('JSONL: removal', () => {
  it('is one line for each object, and finish takes it out again with the rows', async (t) => {
    const folder = await tempFolder(t);
    const sink = await prepared(folder, 'run-1');
    await sink.write([...chunks(1), ...chunks(2)]);
    assert.equal(await sink.removeRows([allOf(1), allOf(7), allBut(2, 'v1')]), 2);
    await sink.write(chunks(1, 'v2', 1));
    const file = 'part-0-of-1-run-1.jsonl';
    const [one, two] = ['docs/1.txt v1', 'docs/2.txt v1'];
    assert.deepEqual(await linesByFile(folder), { [file]: [one, one, two, two, 'removed', 'docs/1.txt v2'] });
    await sink.finish({ lastWriter: true });
    assert.deepEqual(await linesByFile(folder), { [file]: [two, two, 'docs/1.txt v2'] });
  });

  it('that leaves nothing leaves no file', async (t) => {
    const folder = await tempFolder(t);
    const first = await prepared(folder, 'run-1');
    await first.write(chunks(1));
    await first.close();
    const second = await prepared(folder, 'run-2');
    await second.removeRows([allOf(1)]);
    assert.deepEqual(Object.keys(await linesByFile(folder)).length, 2);
    await second.finish({ lastWriter: true });
    assert.deepEqual(await readdir(folder), ['recipe.json']);
  });

  it('stays in the files of a shard while others may hold what it counts against', async (t) => {
    const folder = await tempFolder(t);
    const former = await prepared(folder, 'run-1', { index: 2, count: 3 });
    await former.write([...chunks(1, 'v1'), ...chunks(2)]);
    await former.close();
    const [first, last] = await Promise.all(
      [0, 1].map((index) => prepared(folder, 'run-2', { index, count: 2 })),
    );
    assert.ok(first !== undefined && last !== undefined);
    await first.write(chunks(1, 'v2'));
    // Went back to what it was: the rows of v2 go, and those of v1 that they had replaced do not come back.
    assert.equal(await first.removeRows([allBut(1, 'v1')]), 2);
    await first.finish({ lastWriter: false });
    const two = chunks(2).map(() => 'docs/2.txt v1');
    assert.deepEqual(Object.values(await linesByFile(folder)), [
      ['docs/1.txt v1', 'docs/1.txt v1', ...two],
      ['docs/1.txt v2', 'docs/1.txt v2', 'but v1'],
    ]);
    assert.deepEqual(byId(await allRows(last)), byId(chunks(2)));
    await last.finish({ lastWriter: true });
    assert.deepEqual(Object.values(await linesByFile(folder)), [two]);
    assert.deepEqual(byId(await allRows(last)), byId(chunks(2)));
  });

  it('counts although the clock of the run before was ahead, and so do newer rows', async (t) => {
    const folder = await tempFolder(t);
    const ahead = await prepared(folder, 'run-9');
    await ahead.write([...chunks(1), ...chunks(2)]);
    await ahead.close();
    const sink = await prepared(folder, 'run-5');
    assert.equal(await sink.removeRows([allOf(1)]), 2);
    await sink.write(chunks(2, 'v2'));
    await sink.close();
    const last = await prepared(folder, 'run-4');
    await last.write(chunks(1, 'v3'));
    assert.deepEqual(byId(await allRows(last)), byId([...chunks(1, 'v3'), ...chunks(2, 'v2')]));
    await last.finish({ lastWriter: true });
    assert.deepEqual(byId(await allRows(last)), byId([...chunks(1, 'v3'), ...chunks(2, 'v2')]));
  });

  it('counts what is in the index by now, also where the same sink made it anew', async (t) => {
    const folder = await tempFolder(t);
    const sink = await prepared(folder, 'run-1');
    await sink.write([...chunks(1), ...chunks(2)]);
    assert.equal(await sink.removeRows([allOf(1)]), 2);
    await sink.prepare(infoFor(DIMENSIONS), { recreate: true });
    await sink.write(chunks(3));
    assert.equal(await sink.removeRows([allOf(1), allOf(2), allOf(3)]), 2);
    assert.deepEqual(await allRows(sink), []);
  });

  it('that was torn did not happen', async (t) => {
    const folder = await tempFolder(t);
    const sink = await prepared(folder, 'run-1');
    await sink.write(chunks(1));
    await sink.close();
    await appendFile(join(folder, 'part-0-of-1-run-1.jsonl'), lineOfRemoval(allOf(1)).trimEnd());
    const next = await prepared(folder, 'run-2');
    assert.deepEqual(byId(await allRows(next)), byId(chunks(1)));
    await next.finish({ lastWriter: true });
    assert.deepEqual(byId(await allRows(next)), byId(chunks(1)));
    assert.equal(await next.removeRows([allOf(1)]), 2);
  });

  it('a file that ends at any byte reads as its whole lines say, before and after it is compacted', async (t) => {
    const history: readonly (readonly Row[] | StaleRows)[] = [
      chunks(1),
      chunks(2),
      chunks(1, 'v2', 3),
      allBut(1, 'v1'),
      chunks(2, 'v2', 1),
      allBut(2, 'v2'),
      chunks(1, 'v1', 1),
      allOf(2),
      chunks(2, 'v3'),
      allBut(1, 'v9'),
    ];
    const lines = history.flatMap((step): { text: string; step: Row | StaleRows }[] =>
      'object' in step
        ? [{ text: lineOfRemoval(step), step }]
        : step.map((row) => ({ text: lineOfRow(row), step: row })),
    );
    const whole = Buffer.from(lines.map(({ text }) => text).join(''));
    const folder = await tempFolder(t);
    for (let length = 1; length <= whole.length; length += 61) {
      const place = join(folder, String(length));
      await mkdir(place);
      const model = new Map<string, Row>();
      let end = 0;
      for (const { text, step } of lines) {
        end += Buffer.byteLength(text);
        if (end > length) break;
        if ('id' in step) model.set(step.id, step);
        else for (const row of model.values()) if (isStale(row, step)) model.delete(row.id);
      }
      await writeFile(join(place, 'part-0-of-1-run-1.jsonl'), whole.subarray(0, length));
      await writeFile(join(place, 'recipe.json'), JSON.stringify(infoFor(DIMENSIONS)));
      const sink = await prepared(place, 'run-2');
      const expected = byId([...model.values()]);
      assert.deepEqual(byId(await allRows(sink)), expected, `${length} bytes`);
      assert.equal((await allFacts(sink)).length, expected.length);
      assert.deepEqual(
        byId(await sink.get(lines.flatMap(({ step }) => ('id' in step ? step.id : [])))),
        expected,
      );
      const ofOne = expected.filter(({ metadata }) => metadata.key === 'docs/1.txt');
      await sink.finish({ lastWriter: true });
      assert.deepEqual(byId(await allRows(sink)), expected, `${length} bytes, compacted`);
      const kinds = Object.values(await linesByFile(place)).flat();
      assert.equal(kinds.length, expected.length, `only rows are left of ${length} bytes`);
      assert.equal(await sink.removeRows([allOf(1)]), ofOne.length);
    }
  });

  it('a compaction that ends at any step has changed nothing that counts', async (t) => {
    const folder = await tempFolder(t);
    const expected = byId([...chunks(2, 'v2', 1), ...chunks(3)]);
    for (let steps = 0; ; steps++) {
      const location = join(folder, String(steps));
      for (const [n, sinkRows] of [
        [...chunks(1), ...chunks(2), ...chunks(3)],
        chunks(1, 'v2'),
        chunks(2, 'v2', 1),
      ].entries()) {
        const sink = await prepared(location, `run-${n}`);
        await sink.write(sinkRows);
        if (n === 1) assert.equal(await sink.removeRows([allBut(1, 'v1')]), 2);
        if (n === 2) assert.equal(await sink.removeRows([allBut(2, 'v2')]), 1);
        await sink.close();
      }
      const place = failingAfter(createLocalPlace(location), steps);
      const parts = partsOf(await place.list());
      const isDone = await compactParts(place, parts, true, {}).then(
        () => true,
        () => false,
      );
      const next = await prepared(location, 'run-3');
      assert.deepEqual(byId(await allRows(next)), expected, `after ${steps} steps`);
      await next.finish({ lastWriter: true });
      assert.deepEqual(byId(await allRows(next)), expected, `after ${steps} steps, and compacted again`);
      if (isDone) {
        assert.equal(steps, 3, 'all three files were changed');
        return;
      }
    }
  });

  it('reads the files once, and again only where another has written', async (t) => {
    const folder = await tempFolder(t);
    const reads: string[] = [];
    const place: Place = createLocalPlace(folder);
    const counting: Place = {
      ...place,
      read: (name, options) => {
        reads.push(name);
        return place.read(name, options);
      },
    };
    const logOf = (run: string): RowLog =>
      new RowLog(counting, { log: recordingLog(), run, shard: oneShard });
    const first = logOf('run-1');
    await first.append([...chunks(1), ...chunks(2), ...chunks(3)], {});
    assert.equal(await first.remove([allOf(1)], {}), 2);
    await first.append(chunks(1), {});
    assert.equal(await first.remove([allOf(1), allOf(2)], {}), 4);
    assert.deepEqual(reads.splice(0), ['part-0-of-1-run-1.jsonl']);
    const second = logOf('run-2');
    await second.append([...chunks(3, 'v2', 1), ...chunks(4)], {});
    assert.equal(await first.remove([allBut(3, 'v2'), allOf(4)], {}), 3);
    assert.deepEqual(reads, ['part-0-of-1-run-1.jsonl', 'part-0-of-1-run-2.jsonl']);
    await Promise.all([first.end(), second.end()]);
  });
});

function isStale({ embatch }: Row, { object, keep }: StaleRows): boolean {
  const { version, fingerprint } = embatch;
  return embatch.object === object && !(version === keep?.version && fingerprint === keep.fingerprint);
}

/** Dies before it changes one file more. */
function failingAfter(place: Place, steps: number): Place {
  let left = steps;
  const step = (): void => {
    if (left-- <= 0) throw new Error('killed');
  };
  return {
    ...place,
    replace: async (...args) => {
      step();
      await place.replace(...args);
    },
    remove: async (...args) => {
      step();
      await place.remove(...args);
    },
  };
}
