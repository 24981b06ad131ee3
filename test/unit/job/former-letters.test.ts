import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { StateStore } from '#embatch/core/interfaces.js';
import { openFormerLetters } from '#embatch/job/former-letters.js';
import type { StoredDeadLetter } from '#embatch/ledger/dead-letters.js';
import { createFileState } from '#embatch/ledger/file-state.js';
import type { LedgerEntry } from '#embatch/ledger/objects/entry.js';
import { listDeadLetters, readDeadLetters } from '#embatch/ledger/stored-dead-letters.js';
import { recordingLogger } from '../../support/recording-logger.js';
import { tempFolder } from '../../support/temp-folder.js';
import { letterOf } from './letters.js';

const failed = (key: string, version = 'v1'): LedgerEntry => ({
  key,
  version,
  status: 'failed',
  chunks: 0,
  text: 't',
});

async function withLetters(t: TestContext, ...segments: (StoredDeadLetter | string)[][]) {
  const state = createFileState(await tempFolder(t));
  for (const [n, letters] of segments.entries()) {
    const lines = letters.map((letter) => (typeof letter === 'string' ? letter : JSON.stringify(letter)));
    await state.put(`dead-letters/run-1-0-of-1-00000${n}.jsonl`, `${lines.join('\n')}\n`);
  }
  const log = recordingLogger();
  const open = () => openFormerLetters({ state, sourceId: 's3://b', sinkUri: 'jsonl:out', log });
  return { state, log, open };
}

async function left(state: StateStore): Promise<string[]> {
  const names: string[] = [];
  for await (const letter of readDeadLetters(state, await listDeadLetters(state), () => undefined)) {
    names.push(`${letter.uri} ${letter.version} ${JSON.stringify(letter.record)}`);
  }
  return names;
}

test('letters of objects that were settled are cleared, those of others and of other sources and sinks stay', async (t) => {
  const { state, open } = await withLetters(
    t,
    [
      letterOf('settled'),
      letterOf('stands', { record: 1 }),
      letterOf('stands', { version: 'v0', record: 2 }),
    ],
    [letterOf('settled', { record: 3 }), letterOf('done')],
    [
      letterOf('unseen'),
      letterOf('settled', { sink: 'jsonl:other' }),
      letterOf('settled', { uri: 's3://c/settled' }),
    ],
  );
  const former = await open();
  former.committed(failed('settled'));
  former.untouched(failed('stands'));
  former.untouched({ ...failed('done'), status: 'done' });
  former.untouched(failed('without letters'));
  // What this run adds is not touched.
  await state.put('dead-letters/run-2-0-of-1-000000.jsonl', `${JSON.stringify(letterOf('settled'))}\n`);
  await former.clear();
  assert.deepEqual(await left(state), [
    's3://b/stands v1 1',
    's3://b/unseen v1 0',
    's3://b/settled v1 0',
    's3://c/settled v1 0',
    's3://b/settled v1 0',
  ]);
  assert.deepEqual(
    (await listDeadLetters(state)).map((name) => name.slice(-6)),
    ['.jsonl', '.jsonl', '.jsonl'],
  );
  assert.equal(
    await state.get('dead-letters/run-1-0-of-1-000001.jsonl'),
    undefined,
    'an empty segment is gone',
  );
});

test('letters come by object in the order of a listing, whatever their own', async (t) => {
  const { open } = await withLetters(
    t,
    [letterOf('b', { record: 1 }), letterOf('\u{1f600}'), letterOf('a')],
    [letterOf('\uff21'), letterOf('b', { record: 2 })],
  );
  const sorted = (await open()).sorted();
  const found: unknown[] = [];
  // In UTF-8 bytes, in which U+FF21 comes before U+1F600.
  for (const key of ['a', 'ab', 'b', 'c', '\uff21', '\u{1f600}', '\u{1f601}']) {
    const letters = await sorted.of(key);
    found.push(letters?.map(({ record }) => record).sort());
  }
  assert.deepEqual(found, [[0], [], [1, 2], [], [0], [0], []]);
  await sorted.close();
});

test('where a line is damaged no letters are relied on, and the line stays', async (t) => {
  const { state, log, open } = await withLetters(
    t,
    [letterOf('a'), '{"uri":"s3://b/b","key'],
    [letterOf('c')],
  );
  const former = await open();
  const sorted = former.sorted();
  assert.equal(await sorted.of('a'), undefined);
  await sorted.close();
  assert.equal(log.lines.filter((line) => line.startsWith('warn ')).length, 1);
  former.committed(failed('a'));
  former.committed(failed('c'));
  await former.clear();
  const names = await listDeadLetters(state);
  assert.equal(names.length, 1);
  assert.equal(String(await state.get(names[0] ?? '')), '{"uri":"s3://b/b","key\n');
});

test('a state without letters costs one listing', async (t) => {
  const { state } = await withLetters(t);
  let requests = 0;
  const counted = new Proxy(state, {
    get(target, name) {
      requests += 1;
      return Reflect.get(target, name, target) as unknown;
    },
  });
  const former = await openFormerLetters({
    state: counted,
    sourceId: 's3://b',
    sinkUri: 'jsonl:out',
    log: recordingLogger(),
  });
  former.committed(failed('a'));
  await former.clear();
  assert.equal(requests, 1);
});
