/** One chunk among 10,000 that OpenSearch does not take costs that chunk, and a few requests. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { StoredDeadLetter } from '#embatch/ledger/dead-letters.js';
import { faultProxyDuringTests, type RefusesRow, type SeenRequest } from '../support/fault-proxy.js';
import { deleteIndex } from '../support/opensearch.js';
import { openSearchUrl, skipWithoutOpenSearch as skip } from '../support/services.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';
import { embatch, endedWith } from './support/faulty-run.js';
import { openSearchRows } from './support/index-check.js';

const OBJECTS = 10;
const RECORDS = 1000;
const BATCH_ROWS = 500;
const POISONED = { object: 'docs/4.jsonl', record: 617 };
/** A keyword in Lucene has at most 32,766 bytes. */
const IMMENSE = 40_000;

const proxy = faultProxyDuringTests(openSearchUrl, skip);
const isBulk = ({ url }: SeenRequest): boolean => url.includes('_bulk');
const textOf = (object: number, record: number): string => `number ${record} of ${object}`;

interface Outcome {
  readonly bulks: number;
  readonly letters: readonly StoredDeadLetter[];
  readonly texts: readonly string[];
}

/** Embeds 10,000 records, one of them with an immense title, into an index that `prepare` was given to spoil. */
async function embedPoisoned(
  t: TestContext,
  index: string,
  prepare: (index: string) => Promise<void>,
): Promise<Outcome> {
  const folder = await tempFolder(t);
  t.after(() => deleteIndex(openSearchUrl(), index));
  const sink = `${proxy.url.replace('http:', 'opensearch+http:')}/${index}`;
  const run = [join(folder, 'docs'), '--sink', sink, '--state', join(folder, 'state')];
  const args = [...run, '--sink-batch-rows', String(BATCH_ROWS)];
  const objects = Array.from({ length: OBJECTS }, (_, object) => {
    const name = `docs/${object}.jsonl`;
    const lines = Array.from({ length: RECORDS }, (__, record) => {
      const isPoisoned = name === POISONED.object && record === POISONED.record;
      const title = isPoisoned ? 't'.repeat(IMMENSE) : 'a title';
      return `${JSON.stringify({ text: textOf(object, record), title })}\n`;
    });
    return [name, lines.join('')] as const;
  });
  await writeFiles(folder, Object.fromEntries(objects.slice(0, 1)));
  endedWith(0, await embatch(args));
  await prepare(index);
  const before = proxy.requests.filter(isBulk).length;
  await writeFiles(folder, Object.fromEntries(objects.slice(1)));
  const summary = endedWith(20, await embatch(args));
  assert.deepEqual(
    [summary.objects.failed, summary.objects.embedded, summary.objects.unchanged],
    [1, OBJECTS - 2, 1],
  );
  assert.deepEqual([summary.vectors.rejected, summary.vectors.written], [1, (OBJECTS - 1) * RECORDS - 1]);

  const letters: StoredDeadLetter[] = [];
  const letterFolder = join(folder, 'state/dead-letters');
  for (const name of await readdir(letterFolder)) {
    const lines = (await readFile(join(letterFolder, name), 'utf8')).trim().split('\n');
    letters.push(...lines.map((line) => JSON.parse(line) as StoredDeadLetter));
  }
  const rows = await openSearchRows(openSearchUrl(), index);
  assert.equal(rows.length, OBJECTS * RECORDS - 1);
  assert.equal(new Set(rows.map(({ id }) => id)).size, rows.length);
  const body = objects.find(([name]) => name === POISONED.object)?.[1] ?? '';
  const offset = Buffer.byteLength(body.split('\n').slice(0, POISONED.record).join('\n')) + 1;
  assert.deepEqual(
    letters.map(({ key, record, chunk, stage, attempts }) => ({ key, record, chunk, stage, attempts })),
    [{ key: '4.jsonl', record: offset, chunk: 0, stage: 'write', attempts: letters[0]?.attempts }],
  );
  const uri = `file://${join(folder, 'docs')}/4.jsonl`;
  const id = createHash('sha256')
    .update(JSON.stringify([uri, offset, 0]))
    .digest('base64url');
  assert.ok(!rows.some((row) => row.id === id));
  return {
    letters,
    texts: rows.map(({ text }) => text),
    bulks: proxy.requests.filter(isBulk).length - before,
  };
}

function assertAllButPoison(texts: readonly string[]): void {
  const expected = Array.from(
    { length: OBJECTS * RECORDS },
    (_, n) => [Math.floor(n / RECORDS), n % RECORDS] as const,
  )
    .filter(([object, record]) => `docs/${object}.jsonl` !== POISONED.object || record !== POISONED.record)
    .map(([object, record]) => textOf(object, record));
  assert.deepEqual([...texts].sort(), expected.sort());
}

test('a chunk that the mapping refuses is one dead letter in the words of the node', { skip }, async (t) => {
  const { bulks, letters, texts } = await embedPoisoned(t, 'faults-poison-row', async (index) => {
    const keyword = { type: 'keyword', ignore_above: 100_000 };
    const title = { ...keyword, fields: { keyword } };
    const answer = await fetch(`${openSearchUrl()}/${index}/_mapping`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ properties: { metadata: { properties: { title } } } }),
    });
    assert.equal(answer.status, 200, await answer.text());
  });
  assert.match(letters[0]?.reason ?? '', /^400 illegal_argument_exception: .*immense term/);
  assertAllButPoison(texts);
  const needed = ((OBJECTS - 1) * RECORDS) / BATCH_ROWS;
  t.diagnostic(`${bulks} bulk requests; ${needed} without the poison`);
  assert.ok(bulks <= needed + 5, `${bulks} bulk requests`);
});

test('a chunk for which whole requests are refused is found by halving them', { skip }, async (t) => {
  const { bulks, letters, texts } = await embedPoisoned(t, 'faults-poison-request', () => {
    const error = { type: 'parse_exception', reason: 'the body cannot be read' };
    const refuses: RefusesRow = (_, source) =>
      source.length > IMMENSE ? { status: 400, error, ofRequest: true } : undefined;
    proxy.add({ when: isBulk, fault: { kind: 'refuse-rows', refuses } });
    return Promise.resolve();
  });
  assert.match(letters[0]?.reason ?? '', /^400 parse_exception: the body cannot be read/);
  assertAllButPoison(texts);
  const needed = ((OBJECTS - 1) * RECORDS) / BATCH_ROWS;
  t.diagnostic(`${bulks} bulk requests; ${needed} without the poison`);
  assert.ok(bulks <= needed + 5 + 2 * Math.ceil(Math.log2(BATCH_ROWS)), `${bulks} bulk requests`);
});
