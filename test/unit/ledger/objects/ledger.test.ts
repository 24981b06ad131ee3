import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compareUtf8 } from '#embatch/core/bytes-order.js';
import type { StateStore } from '#embatch/core/interfaces.js';
import { createFileState } from '#embatch/ledger/file-state.js';
import type { LedgerEntry } from '#embatch/ledger/objects/entry.js';
import { openLedger, type Ledger } from '#embatch/ledger/objects/ledger.js';
import { shardOf } from '#embatch/shard/shard-of-key.js';
import { recordingLogger } from '../../../support/recording-logger.js';
import { tempFolder } from '../../../support/temp-folder.js';

const entry = (key: string, version = 'v1', chunks = 1): LedgerEntry => ({
  key,
  version,
  status: 'done',
  chunks,
  text: 'aaaa',
});

interface Where {
  readonly run?: string;
  readonly index?: number;
  readonly count?: number;
  readonly indexId?: string;
  readonly sourceId?: string;
}

function open(store: StateStore, where: Where = {}, log = recordingLogger()): Promise<Ledger> {
  const { run = 'run-1', index = 0, count = 1, indexId = 'index', sourceId = 's3://bucket' } = where;
  const shard = { index, count };
  return openLedger({
    store,
    run,
    indexId,
    sinkUri: 'lancedb:v',
    sourceId,
    shard,
    writer: shard,
    shardOf,
    log,
  });
}

async function all(ledger: Ledger): Promise<LedgerEntry[]> {
  const entries: LedgerEntry[] = [];
  for await (const item of ledger.entries()) entries.push(item);
  return entries;
}

/** Opens, commits, and ends as a run does; or as a killed one, which has flushed and no more. */
async function run(store: StateStore, where: Where, entries: readonly LedgerEntry[], killed = false) {
  const ledger = await open(store, where);
  for (const item of entries) ledger.commit(item);
  await (killed ? ledger.flush() : ledger.roll());
  await ledger.close();
}

/** The folder of a ledger that was used once. */
async function storedFolder(store: StateStore): Promise<string | undefined> {
  await run(store, { run: '20261101t000000z-0000' }, [entry('first')]);
  return /^ledger\/[^/]+\/[^/]+/.exec((await store.list('ledger/'))[0] ?? '')?.[0];
}

describe('the ledger', () => {
  it('gives what was committed to the next run, ascending by UTF-8 bytes, each key once in its latest version', async (t) => {
    const store = createFileState(await tempFolder(t));
    // U+FF21 comes before an emoji in UTF-8 and after it in UTF-16.
    const keys = ['b', 'a', '😀', '\uFF21', 'a/b', 'A', 'é'];
    await run(store, { run: 'run-1' }, [...keys.map((key) => entry(key)), entry('b', 'v2', 3)]);
    const found = await all(await open(store, { run: 'run-2' }));
    assert.deepEqual(
      found.map(({ key }) => key),
      [...keys].sort(compareUtf8),
    );
    assert.deepEqual(
      found.find(({ key }) => key === 'b'),
      entry('b', 'v2', 3),
    );
  });

  it('keeps what a killed run had flushed, and what later runs say counts more', async (t) => {
    const store = createFileState(await tempFolder(t));
    await run(store, { run: 'run-1' }, [entry('a'), entry('b')]);
    await run(store, { run: 'run-2' }, [entry('b', 'v2'), entry('c')], true);
    await run(store, { run: 'run-3' }, [entry('b', 'v3')], true);
    assert.deepEqual(await all(await open(store, { run: 'run-4' })), [
      entry('a'),
      entry('b', 'v3'),
      entry('c'),
    ]);
  });

  it('belongs to one index and one source', async (t) => {
    const store = createFileState(await tempFolder(t));
    await run(store, {}, [entry('a')]);
    assert.deepEqual(await all(await open(store, { run: 'run-2', indexId: 'made again' })), []);
    assert.deepEqual(await all(await open(store, { run: 'run-2', sourceId: 's3://other' })), []);
    assert.equal((await all(await open(store, { run: 'run-2' }))).length, 1);
  });

  it('leaves one file behind after a run, whatever came before, and none of its own after a run without news', async (t) => {
    const store = createFileState(await tempFolder(t));
    await run(store, { run: 'run-1' }, [entry('a')], true);
    await run(store, { run: 'run-2' }, [entry('b')], true);
    await run(store, { run: 'run-3' }, [entry('c')]);
    const names = await store.list('ledger/');
    assert.equal(names.filter((name) => name.endsWith('head.json')).length, 1, names.join('\n'));
    await run(store, { run: 'run-4' }, []);
    assert.deepEqual(await store.list('ledger/'), names);
  });

  it('merges the journals of a long run, so that there are never many', async (t) => {
    const store = createFileState(await tempFolder(t));
    const ledger = await open(store);
    for (let n = 0; n < 100; n++) {
      ledger.commit(entry(`key-${String(n).padStart(3, '0')}`));
      await ledger.flush();
    }
    await ledger.close();
    const heads = (await store.list('ledger/')).filter((name) => name.endsWith('head.json'));
    assert.ok(heads.length <= 32, String(heads.length));
    assert.equal((await all(await open(store, { run: 'run-2' }))).length, 100);
  });

  it('keeps entries of many blocks', async (t) => {
    const store = createFileState(await tempFolder(t));
    const entries = Array.from({ length: 5000 }, (_, n) => entry(`some/long/key/${n}/${'x'.repeat(100)}`));
    await run(store, {}, entries);
    assert.ok((await store.list('ledger/')).length > 3);
    assert.equal((await all(await open(store, { run: 'run-2' }))).length, 5000);
  });

  for (const [what, spoil] of [
    ['a block that is cut off', (bytes: Uint8Array) => bytes.slice(0, bytes.length - 10)],
    ['a block of other bytes', () => Buffer.from('not gzip')],
  ] as const) {
    it(`${what} costs its entries and a warning, nothing else`, async (t) => {
      const store = createFileState(await tempFolder(t));
      await run(store, { run: 'run-1' }, [entry('a')], true);
      await run(store, { run: 'run-2' }, [entry('b')], true);
      const block = (await store.list('ledger/')).find(
        (name) => name.includes('run-1') && name.endsWith('.gz'),
      );
      assert.ok(block !== undefined);
      await store.put(block, spoil((await store.get(block)) ?? new Uint8Array()));
      const log = recordingLogger();
      assert.deepEqual(await all(await open(store, { run: 'run-3' }, log)), [entry('b')]);
      assert.match(log.lines.join('\n'), /the ledger is incomplete: .*is damaged/);
    });
  }

  it('a file whose head is damaged or not written yet does not exist', async (t) => {
    const store = createFileState(await tempFolder(t));
    await run(store, { run: 'run-1' }, [entry('a')], true);
    await run(store, { run: 'run-2' }, [entry('b')], true);
    const [head] = (await store.list('ledger/')).filter((name) => name.endsWith('head.json'));
    assert.ok(head !== undefined);
    await store.put(head, '{"kind":"jour');
    assert.deepEqual(await all(await open(store, { run: 'run-3' })), [entry('b')]);
    await store.delete(head);
    assert.deepEqual(await all(await open(store, { run: 'run-3' })), [entry('b')]);
  });

  it('keeps what is committed while others are being stored', async (t) => {
    const store = createFileState(await tempFolder(t));
    const ledger = await open(store);
    ledger.commit(entry('a'));
    const storing = ledger.flush();
    await Promise.resolve();
    ledger.commit(entry('b'));
    await storing;
    await ledger.roll();
    await ledger.close();
    assert.deepEqual(await all(await open(store, { run: 'run-2' })), [entry('a'), entry('b')]);
  });

  it('does not know what was begun and not committed, and knows it again once it was', async (t) => {
    const store = createFileState(await tempFolder(t));
    await run(store, { run: 'run-1' }, [entry('a'), entry('b')]);
    const ledger = await open(store, { run: 'run-2' });
    await ledger.begun(ledger.begin(entry('a')));
    const killed = await all(await open(store, { run: 'run-3' }));
    assert.deepEqual(killed, [{ ...entry('a'), status: 'open', crashes: 1 }, entry('b')]);
    await ledger.close();
    const inGoodOrder = await all(await open(store, { run: 'run-3' }));
    assert.deepEqual(inGoodOrder, [{ ...entry('a'), status: 'open' }, entry('b')]);
    await run(store, { run: 'run-4' }, [entry('a', 'v2')]);
    assert.deepEqual(await all(await open(store, { run: 'run-5' })), [entry('a', 'v2'), entry('b')]);
  });

  it('counts how many runs have died with an object in work, and only those', async (t) => {
    const store = createFileState(await tempFolder(t));
    const crashesNow = async (run: string): Promise<number | undefined> =>
      (await all(await open(store, { run })))[0]?.crashes;
    for (const [run, dies, expected] of [
      ['run-1', true, 1],
      ['run-2', true, 2],
      ['run-3', false, 2],
      ['run-4', true, 3],
    ] as const) {
      const ledger = await open(store, { run });
      const [known] = await all(ledger);
      await ledger.begun(ledger.begin(entry('a'), known?.crashes));
      if (!dies) await ledger.close();
      assert.equal(await crashesNow('run-9'), expected, run);
    }
  });

  it('hides what was removed, from then on and after it was rolled up', async (t) => {
    const store = createFileState(await tempFolder(t));
    await run(store, { run: 'run-1' }, [entry('a'), entry('b'), entry('c')]);
    const removed: LedgerEntry = { ...entry('b'), status: 'removed', chunks: 0 };
    await run(store, { run: 'run-2' }, [removed], true);
    assert.deepEqual(await all(await open(store, { run: 'run-3' })), [entry('a'), entry('c')]);
    await run(store, { run: 'run-3' }, [entry('a')]);
    assert.deepEqual(await all(await open(store, { run: 'run-4' })), [entry('a'), entry('c')]);
  });

  it('stores nothing before what its entries rely on is stored', async (t) => {
    const store = createFileState(await tempFolder(t));
    let may = false;
    const ledger = await openLedger({
      store,
      run: 'run-1',
      indexId: 'index',
      sinkUri: 'lancedb:v',
      sourceId: 's3://bucket',
      shard: { index: 0, count: 1 },
      writer: { index: 0, count: 1 },
      shardOf,
      before: () => (may ? Promise.resolve() : Promise.reject(new Error('not yet'))),
      log: recordingLogger(),
    });
    ledger.commit(entry('a'));
    await assert.rejects(ledger.flush(), /not yet/);
    assert.deepEqual(await store.list('ledger/'), []);
    may = true;
    await ledger.close();
    assert.deepEqual(await all(await open(store, { run: 'run-2' })), [entry('a')]);
  });

  it('removes blocks without a head once they are a day older than the run, and no others', async (t) => {
    const store = createFileState(await tempFolder(t));
    const folder = (await storedFolder(store)) ?? assert.fail();
    const old = `${folder}/20261120t095959z-aaaa-0-of-1-000000/000000.jsonl.gz`;
    const young = `${folder}/20261120t100001z-bbbb-0-of-1-000000/000000.jsonl.gz`;
    await store.put(old, 'x');
    await store.put(young, 'x');
    await run(store, { run: '20261121t100000z-cccc' }, [entry('b')]);
    const names = await store.list('ledger/');
    assert.deepEqual([names.includes(old), names.includes(young)], [false, true]);
  });

  it('lets the later entry count, whichever run wrote it and whatever its clock says', async (t) => {
    const store = createFileState(await tempFolder(t));
    await run(store, { run: 'run-1' }, [entry('a'), entry('b')]);
    const older = await open(store, { run: 'run-2' });
    // A newer run finds everything unchanged, and rolls up what it knows.
    await run(store, { run: 'run-3' }, [entry('c')]);
    older.commit({ ...entry('a'), status: 'removed', chunks: 0 });
    await older.close();
    const known = await all(await open(store, { run: 'run-4' }));
    assert.deepEqual(known, [entry('b'), entry('c')]);

    t.mock.timers.enable({ apis: ['Date'], now: Date.now() - 3_600_000 });
    await run(store, { run: 'run-0' }, [entry('b', 'v2')], true);
    t.mock.timers.reset();
    assert.deepEqual(await all(await open(store, { run: 'run-5' })), [entry('b', 'v2'), entry('c')]);
  });

  it('is complete where it began with the index or was made from it, for those keys and all who share them', async (t) => {
    const store = createFileState(await tempFolder(t));
    const isComplete = async (index: number, count: number): Promise<boolean> =>
      (await open(store, { run: 'run-9', index, count })).isComplete;
    await run(store, { run: 'run-1' }, [entry('a')], true);
    assert.equal(await isComplete(0, 1), false);
    for (const index of [0, 1]) {
      const half = await open(store, { run: `run-2${index}`, index, count: 2 });
      await half.adopt([entry(`of-${index}`)]);
      await half.close();
      const others = [await isComplete(0, 2), await isComplete(1, 2), await isComplete(0, 1)];
      assert.deepEqual(others, index === 0 ? [true, false, false] : [true, true, true]);
    }
    assert.equal(await isComplete(2, 5), true);
    assert.equal((await all(await open(store, { run: 'run-9' }))).length, 3);
  });

  it('adopts all entries or none', async (t) => {
    const store = createFileState(await tempFolder(t));
    const ledger = await open(store);
    async function* broken(): AsyncGenerator<LedgerEntry> {
      for (let n = 0; n < 5000; n++) {
        if (n === 4000) throw new Error('killed');
        yield await Promise.resolve(entry(`key-${String(n).padStart(5, '0')}-${'x'.repeat(100)}`));
      }
    }
    await assert.rejects(ledger.adopt(broken()), /killed/);
    const after = await open(store, { run: 'run-2' });
    assert.deepEqual([await all(after), after.isComplete], [[], false]);
  });

  it('removes a file whose head is damaged when it rolls up, and warns of it once a run', async (t) => {
    const store = createFileState(await tempFolder(t));
    await run(store, { run: 'run-1' }, [entry('a')], true);
    const [head = ''] = (await store.list('ledger/')).filter((name) => name.endsWith('head.json'));
    await store.put(head, 'garbage');
    const log = recordingLogger();
    const ledger = await open(store, { run: 'run-2' }, log);
    ledger.commit(entry('b'));
    await ledger.roll();
    await ledger.close();
    assert.equal(log.lines.filter((line) => line.includes('is damaged')).length, 1);
    assert.equal((await store.list('ledger/')).filter((name) => name.includes('run-1')).length, 0);
  });

  it('reads on while others roll up and remove what it is reading', async (t) => {
    const store = createFileState(await tempFolder(t));
    const keys = Array.from(
      { length: 5000 },
      (_, n) => `key/${String(n).padStart(5, '0')}/${'x'.repeat(60)}`,
    );
    await run(
      store,
      { run: 'run-1' },
      keys.map((key) => entry(key)),
    );
    const log = recordingLogger();
    const reader = await open(store, { run: 'run-2' }, log);
    const found: string[] = [];
    let rolls = 0;
    for await (const { key } of reader.entries()) {
      found.push(key);
      if (found.length % 1500 === 0)
        await run(store, { run: `run-3${rolls++}` }, [entry('zzz', String(rolls))]);
    }
    assert.ok(rolls >= 3);
    assert.deepEqual(found.slice(0, keys.length), keys);
    assert.deepEqual(log.lines, []);
  });

  it('rejects with the error of a store that cannot be written, and stores the entries once it can', async (t) => {
    const store = createFileState(await tempFolder(t));
    let broken = true;
    const faulty: StateStore = {
      ...store,
      uri: store.uri,
      put: (name, bytes, options) =>
        broken ? Promise.reject(new Error('no space')) : store.put(name, bytes, options),
    };
    const ledger = await open(faulty);
    ledger.commit(entry('a'));
    await assert.rejects(ledger.flush(), /no space/);
    await assert.rejects(ledger.flushed(), /no space/);
    broken = false;
    await ledger.flush();
    await ledger.close();
    assert.deepEqual(await all(await open(store, { run: 'run-2' })), [entry('a')]);
  });
});

/** Deterministic, so that a failure can be had again. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const byName = ([a]: [string, unknown], [b]: [string, unknown]): number => compareUtf8(a, b);

describe('the ledger under any number of shards', () => {
  for (let seed = 1; seed <= 20; seed++) {
    it(`keeps every entry while runs of 1 to 5 shards come, go, are killed and overlap (seed ${seed})`, async (t) => {
      const store = createFileState(await tempFolder(t));
      const next = random(seed);
      const expected = new Map<string, LedgerEntry>();
      for (let round = 0; round < 8; round++) {
        const count = 1 + next(5);
        const name = `run-${String(round).padStart(2, '0')}`;
        const ledgers = await Promise.all(
          Array.from({ length: count }, (_, index) => open(store, { run: `${name}-${index}`, index, count })),
        );
        for (let n = 0; n < 10; n++) {
          const item = entry(`key-${next(30)}`, `v${round}-${n}`);
          ledgers[shardOf(item.key, count)]?.commit(item);
          expected.set(item.key, item);
          if (next(3) === 0) await ledgers[next(count)]?.flush();
        }
        for (const ledger of ledgers) {
          if (next(3) === 0) await ledger.flush();
          else await ledger.roll();
          await ledger.close();
        }
        const readers = 1 + next(4);
        const found = new Map<string, LedgerEntry>();
        for (let index = 0; index < readers; index++) {
          const reader = await open(store, { run: 'run-99', index, count: readers });
          for (const item of await all(reader)) {
            assert.equal(shardOf(item.key, readers), index);
            found.set(item.key, item);
          }
          await reader.close();
        }
        assert.deepEqual(
          Object.fromEntries([...found].sort(byName)),
          Object.fromEntries([...expected].sort(byName)),
          `round ${round}`,
        );
      }
    });
  }
});
