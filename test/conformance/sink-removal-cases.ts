import assert from 'node:assert/strict';
import type { Row, Sink, StaleRows } from '#embatch/core/interfaces.js';
import type { SinkCases } from './sink-conformance.js';
import { allFacts, allRows, byId, chunksOf, unitVector, writeAll } from './sink-rows.js';

/** What every sink promises of `removeRows`. */
export function describeRemoval({ check, open, prepared, dimensions }: SinkCases): void {
  const chunks = (n: number, chunked: Partial<Parameters<typeof chunksOf>[2]> = {}): Row[] =>
    chunksOf(n, dimensions, { chunks: 3, ...chunked });

  check('removes all rows of an object, and none of others', async () => {
    const sink = await prepared();
    await writeAll(sink, [...chunks(1), ...chunks(2), ...chunks(3)]);
    assert.equal(await sink.removeRows([allOf(chunks(2))]), 3);
    assert.deepEqual(byId(await settled(sink)), byId([...chunks(1), ...chunks(3)]));
  });

  check('keeps the rows of one version with one fingerprint', async () => {
    const sink = await prepared();
    const [former, now] = [chunks(1, { chunks: 5 }), chunks(1, { chunks: 2, version: 'v2' })];
    await writeAll(sink, [...former, ...chunks(2)]);
    await writeAll(sink, now);
    assert.equal(await sink.removeRows([allBut(now)]), 3);
    assert.deepEqual(byId(await settled(sink)), byId([...now, ...chunks(2)]));
  });

  check('the same version with another fingerprint goes', async () => {
    const sink = await prepared();
    const now = chunks(1, { chunks: 1, fingerprint: '0123456789abcdef-0000000000000000' });
    await writeAll(sink, chunks(1));
    await writeAll(sink, now);
    assert.equal(await sink.removeRows([allBut(now)]), 2);
    assert.deepEqual(byId(await settled(sink)), byId(now));
  });

  check('another version with the same fingerprint goes, also where it came later', async () => {
    const sink = await prepared();
    await writeAll(sink, chunks(1, { chunks: 2, version: 'v2' }));
    const kept = chunks(1, { chunks: 3 }).slice(2);
    await writeAll(sink, kept);
    assert.equal(await sink.removeRows([allBut(kept)]), 2);
    assert.deepEqual(byId(await settled(sink)), byId(kept));
  });

  check('a removed row does not give way to one that it had replaced', async () => {
    const [sink, now] = [await prepared(), chunks(1, { version: 'v2' })];
    await writeAll(sink, [...chunks(1), ...chunks(2)]);
    await sink.write(now);
    assert.equal(await sink.removeRows([allBut(chunks(1))]), 3);
    assert.deepEqual(await idsOfFacts(sink), idsOf(chunks(2)));
    assert.deepEqual(await sink.get(now.map(({ id }) => id)), []);
    assert.deepEqual(byId(await settled(sink)), byId(chunks(2)));
  });

  check('rows that were written a moment before go', async () => {
    const sink = await prepared();
    await sink.write([...chunks(1), ...chunks(2)]);
    assert.equal(await sink.removeRows([allOf(chunks(1))]), 3);
    assert.deepEqual(byId(await settled(sink)), byId(chunks(2)));
  });

  check('rows that another instance wrote go, whichever was opened first', async () => {
    const [older, newer] = [await prepared(), await prepared()];
    await older.write([...chunks(1), ...chunks(3)]);
    assert.equal(await newer.removeRows([allOf(chunks(1))]), 3);
    await newer.write(chunks(2));
    assert.equal(await older.removeRows([allOf(chunks(2))]), 3);
    await older.finish({ lastWriter: true });
    assert.deepEqual(byId(await allRows(await prepared())), byId(chunks(3)));
  });

  check('is true for another instance before anything was finished', async () => {
    const sink = await prepared();
    await sink.write([...chunks(1), ...chunks(2)]);
    await sink.removeRows([allOf(chunks(1))]);
    await sink.close();
    const next = await prepared();
    assert.deepEqual(await idsOfFacts(next), idsOf(chunks(2)));
    assert.equal(await next.removeRows([allOf(chunks(1))]), 0, 'they are gone already');
    assert.deepEqual(byId(await settled(next)), byId(chunks(2)));
    assert.equal(await next.removeRows([allOf(chunks(1))]), 0);
  });

  check('rows written after a removal stay, also with the same ids', async () => {
    const sink = await prepared();
    await writeAll(sink, chunks(1));
    assert.equal(await sink.removeRows([allOf(chunks(1))]), 3);
    await sink.write(chunks(1, { chunks: 2 }));
    assert.deepEqual(byId(await settled(sink)), byId(chunks(1, { chunks: 2 })));
    assert.deepEqual(byId(await allRows(await prepared())), byId(chunks(1, { chunks: 2 })));
    assert.equal(await sink.removeRows([allOf(chunks(1))]), 2);
    await sink.write(chunks(1));
    assert.deepEqual(byId(await settled(await prepared())), byId(chunks(1)));
  });

  check('rows written while others are removed stay', async () => {
    const sink = await prepared();
    await writeAll(sink, [...chunks(1), ...chunks(2)]);
    const calls = [
      sink.removeRows([allOf(chunks(1))]),
      sink.write(chunks(3)),
      sink.removeRows([allOf(chunks(2))]),
      sink.write(chunks(4)),
    ];
    const [first, , second] = await Promise.all(calls);
    assert.deepEqual([first, second], [3, 3]);
    assert.deepEqual(byId(await settled(sink)), byId([...chunks(3), ...chunks(4)]));
  });

  check('is idempotent, and nothing to remove is no error', async () => {
    const sink = await prepared();
    assert.equal(await sink.removeRows([]), 0);
    assert.equal(await sink.removeRows([allOf(chunks(1))]), 0, 'in an empty index');
    await writeAll(sink, [...chunks(1), ...chunks(2)]);
    assert.equal(await sink.removeRows([allOf(chunks(7)), allBut(chunks(8))]), 0, 'unknown objects');
    assert.equal(await sink.removeRows([allBut(chunks(1)), allBut(chunks(2))]), 0, 'all are kept');
    assert.equal(await sink.removeRows([allOf(chunks(1)), allOf(chunks(1))]), 3, 'named twice');
    assert.equal(await sink.removeRows([allOf(chunks(1))]), 0);
    assert.deepEqual(byId(await settled(sink)), byId(chunks(2)));
    assert.equal(await sink.removeRows([allOf(chunks(1))]), 0);
    assert.deepEqual(byId(await allRows(await prepared())), byId(chunks(2)));
  });

  check('an object that is named with two exceptions loses what either does not keep', async () => {
    const [sink, now] = [await prepared(), chunks(1, { chunks: 2, version: 'v2' })];
    await writeAll(sink, chunks(1));
    await writeAll(sink, now);
    assert.equal(await sink.removeRows([allBut(now), allBut(chunks(1))]), 3);
    assert.deepEqual(await settled(sink), []);
  });

  check('hundreds of objects in one call, each with its own exception', async () => {
    const sink = await prepared();
    const objects = Array.from({ length: 1200 }, (_, n) => n);
    const version = (n: number): string => `"${n}'\\`;
    const now = objects
      .filter((n) => n % 3 === 0)
      .flatMap((n) => chunks(n, { chunks: 1, version: version(n) }));
    await inWrites(
      sink,
      objects.flatMap((n) => chunks(n, { chunks: 2 })),
    );
    await inWrites(sink, now);
    await sink.finish({ lastWriter: true });
    // Of three, the first changed, the second is gone, and nothing is said of the third.
    const stale = objects.flatMap((n) => {
      if (n % 3 === 0) return [allBut(chunks(n, { version: version(n) }))];
      return n % 3 === 1 ? [allOf(chunks(n))] : [];
    });
    assert.equal(await sink.removeRows(stale), 400 + 800);
    const left = objects.filter((n) => n % 3 === 2).flatMap((n) => chunks(n, { chunks: 2 }));
    assert.deepEqual(byId(await settled(sink)), byId([...now, ...left]));
  });

  const odd = [
    `it's`,
    `''`,
    `"quoted"`,
    `back\\slash\\`,
    `\\'`,
    `%_*`,
    'ünï 漢字 🙂',
    'a/b c',
    '1699-12',
    '',
  ];
  check('sources and versions of unusual characters are told apart', async () => {
    const sink = await prepared();
    const before = odd.flatMap((text, n) =>
      chunks(n, { chunks: 2, uri: `s3://bucket/${text}`, version: `${text}1` }),
    );
    const now = odd.flatMap((text, n) => chunks(n, { chunks: 1, uri: `s3://bucket/${text}`, version: text }));
    await writeAll(sink, before);
    await writeAll(sink, now);
    assert.equal(await sink.removeRows(now.map((row) => allBut([row]))), odd.length);
    assert.deepEqual(byId(await settled(sink)), byId(now));
    const [gone, ...left] = now;
    assert.ok(gone !== undefined);
    assert.equal(await sink.removeRows([allOf([gone])]), 1);
    assert.deepEqual(byId(await settled(sink)), byId(left));
  });

  check('what was removed is not found any more', async (t) => {
    const sink = await prepared();
    if (sink.search === undefined) {
      t.skip('this sink cannot search');
      return;
    }
    await writeAll(sink, [...chunks(1), ...chunks(2)]);
    await sink.removeRows([allOf(chunks(1))]);
    await sink.finish({ lastWriter: true });
    const reader = await open();
    await reader.inspect();
    const hits = (await reader.search?.(unitVector(1000, dimensions), 10)) ?? [];
    assert.deepEqual(idsOf(hits), idsOf(chunks(2)));
  });

  check('a shard that removes leaves the other to finish', async () => {
    await writeAll(await prepared(), [...chunks(1), ...chunks(2), ...chunks(3)]);
    const shards = await Promise.all([0, 1].map((index) => open({ index, count: 2 })));
    const [first, second] = shards;
    assert.ok(first !== undefined && second !== undefined);
    const { info } = { info: await first.inspect() };
    assert.ok(info !== undefined);
    await Promise.all(shards.map((shard) => shard.prepare(info)));
    await first.write(chunks(1, { chunks: 1, version: 'v2' }));
    assert.equal(await first.removeRows([allBut(chunks(1, { version: 'v2' }))]), 2);
    await first.finish({ lastWriter: false });
    assert.equal(await second.removeRows([allOf(chunks(2))]), 3);
    await second.write(chunks(4));
    await second.finish({ lastWriter: true });
    const expected = [...chunks(1, { chunks: 1, version: 'v2' }), ...chunks(3), ...chunks(4)];
    assert.deepEqual(byId(await allRows(await prepared())), byId(expected));
  });
}

function idsOf(items: readonly { readonly id: string }[]): string[] {
  return items.map(({ id }) => id).sort();
}

async function idsOfFacts(sink: Sink): Promise<string[]> {
  return idsOf(await allFacts(sink));
}

function allOf(rows: readonly Row[]): StaleRows {
  return { object: rows[0]?.embatch.object ?? '', keep: undefined };
}

/** All rows of the object of `rows` but those of their version and fingerprint. */
function allBut(rows: readonly Row[]): StaleRows {
  const { object = '', version = '', fingerprint = '' } = rows[0]?.embatch ?? {};
  return { object, keep: { version, fingerprint } };
}

async function settled(sink: Sink): Promise<Row[]> {
  await sink.finish({ lastWriter: true });
  return allRows(sink);
}

/** In as many writes as the limits ask for. */
export async function inWrites(sink: Sink, rows: readonly Row[]): Promise<void> {
  const atOnce = Math.min(sink.limits.maxRows, 1000);
  for (let start = 0; start < rows.length; start += atOnce) {
    const outcomes = await sink.write(rows.slice(start, start + atOnce));
    assert.ok(outcomes.every(({ ok }) => ok));
  }
}
