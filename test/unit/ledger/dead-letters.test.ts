import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StateStore } from '#embatch/core/interfaces.js';
import { createDeadLetters, type DeadLetter, type StoredDeadLetter } from '#embatch/ledger/dead-letters.js';
import { createFileState } from '#embatch/ledger/file-state.js';
import { tempFolder } from '../../support/temp-folder.js';

const writer = { run: 'run-1', shard: { index: 1, count: 4 }, sink: 'jsonl:out' };

function letter(n: number, reason = 'not valid JSON'): DeadLetter {
  return {
    uri: `s3://b/${n}`,
    key: String(n),
    version: 'v1',
    record: n,
    reason,
    stage: 'parse',
    attempts: 1,
  };
}

async function stored(store: StateStore): Promise<Record<string, StoredDeadLetter[]>> {
  const names = await store.list('dead-letters/');
  const segments: [string, StoredDeadLetter[]][] = [];
  for (const name of names) {
    const text = Buffer.from((await store.get(name)) ?? []).toString();
    assert.ok(text.endsWith('\n'));
    const lines = text.trimEnd().split('\n');
    segments.push([name, lines.map((line) => JSON.parse(line) as StoredDeadLetter)]);
  }
  return Object.fromEntries(segments);
}

describe('dead letters', () => {
  it('are stored as JSON lines under the names of run and shard, with time and run', async (t) => {
    const store = createFileState(await tempFolder(t));
    const letters = createDeadLetters(store, writer);
    letters.add(letter(1, 'line\nbreak "quoted"'));
    letters.add({ ...letter(2), record: { id: 'x' }, chunk: 3, attempts: 8, stage: 'write' });
    assert.equal(letters.count, 2);
    await letters.close();
    const segments = await stored(store);
    assert.deepEqual(Object.keys(segments), ['dead-letters/run-1-1-of-4-000000.jsonl']);
    const [first, second] = Object.values(segments).flat();
    assert.deepEqual(
      { ...first, time: '' },
      { time: '', run: 'run-1', sink: 'jsonl:out', ...letter(1, 'line\nbreak "quoted"') },
    );
    assert.match(first?.time ?? '', /^20.*Z$/);
    assert.deepEqual([second?.record, second?.chunk, second?.attempts], [{ id: 'x' }, 3, 8]);
    assert.equal(letters.uri, `${store.uri}/dead-letters/*.jsonl`);
  });

  it('none makes no file', async (t) => {
    const store = createFileState(await tempFolder(t));
    await createDeadLetters(store, writer).close();
    assert.deepEqual(await store.list(''), []);
  });

  it('many are stored in segments as they come, each once and in order', async (t) => {
    const store = createFileState(await tempFolder(t));
    const letters = createDeadLetters(store, writer);
    for (let n = 0; n < 1700; n++) {
      letters.add(letter(n));
      if (n % 100 === 0) await letters.flushed();
    }
    await letters.flushed();
    assert.ok((await store.list('dead-letters/')).length >= 2, 'before the end');
    await letters.close();
    const all = Object.values(await stored(store)).flat();
    assert.deepEqual(
      all.map(({ record }) => record),
      Array.from({ length: 1700 }, (_, n) => n),
    );
    assert.equal(letters.count, 1700);
  });

  it('long reasons are stored before there are many', async (t) => {
    const store = createFileState(await tempFolder(t));
    const letters = createDeadLetters(store, writer);
    for (let n = 0; n < 12; n++) letters.add(letter(n, 'x'.repeat(100_000)));
    await letters.flushed();
    assert.equal((await store.list('dead-letters/')).length, 1);
  });

  it('a store that fails is told, and nothing is lost when it works again', async (t) => {
    const real = createFileState(await tempFolder(t));
    let broken = true;
    const store: StateStore = {
      ...real,
      put: (name, bytes, options) =>
        broken ? Promise.reject(new Error('disk full')) : real.put(name, bytes, options),
    };
    const letters = createDeadLetters(store, writer);
    for (let n = 0; n < 600; n++) letters.add(letter(n));
    await assert.rejects(letters.flushed(), /disk full/);
    await assert.rejects(letters.flush(), /disk full/);
    broken = false;
    letters.add(letter(600));
    await letters.close();
    const all = Object.values(await stored(real)).flat();
    assert.deepEqual(
      all.map(({ record }) => record),
      Array.from({ length: 601 }, (_, n) => n),
    );
  });
});
