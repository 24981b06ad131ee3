import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import {
  leaveExitMessage,
  MAX_EXIT_MESSAGE_BYTES,
  messageOfFailure,
  messageOfSuddenEnd,
  messageOfSummary,
  shardFromSurroundings,
} from '#embatch/cli/exit-message.js';
import type { RunSummary } from '#embatch/job/summary.js';
import { tempFolder } from '../../support/temp-folder.js';
import { unprivileged } from '../../support/unprivileged.js';

const complete: RunSummary = {
  run: '20261121t100000z-4f1c',
  status: 'complete',
  exitCode: 0,
  shard: { index: 3, count: 8, from: 'sagemaker' },
  objects: { listed: 8000, mine: 1004, unchanged: 4, embedded: 1000, skipped: 0, failed: 0, deleted: 0 },
  ranges: { mine: 0, unchanged: 0, embedded: 0, skipped: 0, failed: 0 },
  documents: 1210,
  chunks: 5301,
  tokens: 812_345,
  truncatedTokens: 0,
  vectors: { written: 5301, retried: 0, rejected: 0, deleted: 0 },
  seconds: 61.2,
  tokensPerSecond: 13_273,
  fingerprint: '9f2c-71aa',
  source: 's3://bucket/docs',
  sink: 'opensearch://search:9200/docs',
  state: 's3://bucket/state',
  deadLetters: null,
  skippedBy: {},
  emptyRecords: 0,
  recordsBy: {},
  invalidBytes: 0,
};
const shard = { index: 3, count: 8 };
const failed = (exitCode: number, message: string, written = 0): RunSummary => ({
  ...complete,
  status: 'failed',
  exitCode,
  vectors: { ...complete.vectors, written },
  error: { code: 'SINK', message },
});

for (const [name, summary, expected] of [
  [
    'success',
    complete,
    'shard 3 of 8: exit 0, complete: 1,004 objects, 5,301 vectors written to opensearch://search:9200/docs\n',
  ],
  [
    'dead letters',
    {
      ...complete,
      status: 'partial',
      exitCode: 20,
      objects: { ...complete.objects, failed: 1 },
      deadLetters: 's3://bucket/state/dead-letters/3-of-8',
    },
    'shard 3 of 8: exit 20, partial: 1 object of 1,004 objects failed, the rest is done, 5,301 vectors written to ' +
      'opensearch://search:9200/docs. Dead letters: s3://bucket/state/dead-letters/3-of-8. `embatch retry` tries again what failed.\n',
  ],
  [
    'a stop',
    { ...complete, status: 'stopped', exitCode: 130 },
    'shard 3 of 8: exit 130, stopped: 5,301 vectors written to opensearch://search:9200/docs, which stay. ' +
      'The same `embatch submit` or `run` goes on from there.\n',
  ],
  [
    'a failure that may pass',
    failed(23, 'the disk of the sink is full.', 12),
    'shard 3 of 8: exit 23, failed: the disk of the sink is full. 12 vectors written before stay. ' +
      'The same `embatch submit` or `run` goes on from there.\n',
  ],
  [
    'a failure that does not pass',
    failed(2, 'there is no --source'),
    'shard 3 of 8: exit 2, failed: there is no --source. The same again fails again.\n',
  ],
] as const satisfies readonly (readonly [string, RunSummary, string])[]) {
  test(`the exit message of ${name} says the shard first, then what happened, what is safe and what to do`, () => {
    assert.equal(messageOfSummary(shard, summary), expected);
  });
}

test('a command that ended before there was a run, and a process that ends itself, leave a message too', () => {
  assert.equal(
    messageOfFailure(undefined, 2, 'unknown option --sin'),
    'shard unknown: exit 2, failed: unknown option --sin. Nothing was written. The same again fails again.\n',
  );
  assert.equal(
    messageOfSuddenEnd(shard),
    'shard 3 of 8: exit 137, ended at once: the time to drain was over. What was acknowledged is safe. ' +
      'The same `embatch submit` or `run` goes on from there.\n',
  );
});

test('a message has one line, no control characters, no password, and no more than 1 KB', () => {
  const message = messageOfFailure(shard, 2, 'no\n  such\u0007 host: https://me:secret@host/x\n');
  assert.equal(
    message,
    'shard 3 of 8: exit 2, failed: no such host: https://(redacted)@host/x. Nothing was written. The same again fails again.\n',
  );
});

for (const [name, character] of [
  ['one byte', 'x'],
  ['two bytes', 'é'],
  ['three bytes', '漢'],
  ['four bytes', '🌊'],
] as const) {
  test(`a message that is too long is cut before its advice, between characters of ${name}`, () => {
    for (let offset = 0; offset < 4; offset++) {
      const long = 'y'.repeat(offset) + character.repeat(2000);
      const message = messageOfSummary(shard, failed(23, long));
      const bytes = Buffer.byteLength(message);
      assert.ok(bytes <= MAX_EXIT_MESSAGE_BYTES && bytes > MAX_EXIT_MESSAGE_BYTES - 8, `${bytes} bytes`);
      assert.ok(!message.includes('\ufffd'));
      assert.match(
        message,
        /^shard 3 of 8: exit 23, failed: .* … The same `embatch submit` or `run` goes on from there\.\n$/su,
      );
      const kept = /failed: y*(.*) …/su.exec(message)?.[1] ?? '';
      assert.equal(kept.replaceAll(character, ''), '');
    }
  });
}

async function container(t: TestContext, made: readonly string[]) {
  const root = await tempFolder(t);
  const places = {
    sagemakerConfig: join(root, 'ml/config'),
    sagemakerMessage: join(root, 'ml/output/message'),
    terminationLog: join(root, 'termination-log'),
  };
  if (made.includes('config')) mkdirSync(places.sagemakerConfig, { recursive: true });
  if (made.includes('output')) mkdirSync(join(root, 'ml/output'), { recursive: true });
  if (made.includes('log')) writeFileSync(places.terminationLog, 'a longer text of an earlier attempt');
  return { root, places };
}

const unexpected = (text: string): never => assert.fail(`warned: ${text}`);

test('the message goes where an engine looks for it, and nowhere else', async (t) => {
  for (const made of [[], ['config'], ['config', 'output'], ['log'], ['config', 'output', 'log']]) {
    const { places } = await container(t, made);
    leaveExitMessage('shard 0 of 1: …\n', unexpected, places);
    assert.equal(existsSync(places.sagemakerMessage), made.includes('config'));
    assert.equal(existsSync(places.terminationLog), made.includes('log'));
    if (made.includes('config'))
      assert.equal(readFileSync(places.sagemakerMessage, 'utf8'), 'shard 0 of 1: …\n');
    if (made.includes('log')) assert.equal(readFileSync(places.terminationLog, 'utf8'), 'shard 0 of 1: …\n');
  }
});

test('a place that cannot be written is a warning, and the other place is still written', async (t) => {
  const { root, places } = await container(t, ['config', 'log']);
  writeFileSync(join(root, 'ml/output'), 'a file where the folder should be');
  const warnings: string[] = [];
  leaveExitMessage('shard 0 of 1: …\n', (text) => warnings.push(text), places);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /^the exit message could not be written to .*message: E/);
  assert.equal(readFileSync(places.terminationLog, 'utf8'), 'shard 0 of 1: …\n');
});

test('a message folder of another user is a warning', async (t) => {
  const { root, places } = await container(t, ['config', 'output']);
  chmodSync(join(root, 'ml/output'), 0o555);
  const warnings: string[] = [];
  await unprivileged(root, async () => {
    leaveExitMessage('shard 0 of 1: …\n', (text) => warnings.push(text), places);
  });
  assert.match(warnings.join(), /EACCES/);
});

for (const [name, environment, expected] of [
  ['nothing', {}, { index: 0, count: 1 }],
  ['our own variables', { EMBATCH_SHARD: '2', EMBATCH_SHARDS: '5' }, { index: 2, count: 5 }],
  ['an engine', { JOB_COMPLETION_INDEX: '1', EMBATCH_SHARDS: '3' }, { index: 1, count: 3 }],
  ['an index without a total', { JOB_COMPLETION_INDEX: '1' }, undefined],
  ['a value that is no number', { EMBATCH_SHARD: 'x', EMBATCH_SHARDS: '5' }, undefined],
] as const) {
  test(`the shard of a process without options, told by ${name}`, async () => {
    const found = await shardFromSurroundings(environment);
    assert.deepEqual(found && { index: found.index, count: found.count }, expected);
  });
}
