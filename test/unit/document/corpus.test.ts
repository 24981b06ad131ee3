/** Real documents, broken and odd ones among them, counted by other means than the program's own. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Document } from '#embatch/core/interfaces.js';
import { expectedOf, unpackCorpus, type CorpusObject } from '../../support/corpus.js';
import { sharedFolder } from '../../support/shared.js';
import { objectOf, readDocuments, type Read } from './objects.js';

const shared = sharedFolder();
const skip = shared === undefined ? 'no ../shared beside the project' : false;

let folder = '';
const objects = new Map<string, CorpusObject>();
const reads = new Map<string, Read>();

before(async () => {
  if (shared === undefined) return;
  folder = await mkdtemp(join(tmpdir(), 'embatch-documents-'));
  for (const object of unpackCorpus(shared, folder)) {
    objects.set(object.key, object);
    reads.set(
      object.key,
      await readDocuments(objectOf(object.key, object.bytes, 10_000), {}, { partBytes: 5000 }),
    );
  }
});

after(async () => {
  if (folder !== '') await rm(folder, { recursive: true, force: true });
});

function documentsOf(key: string): Document[] {
  const outcomes = reads.get(key)?.outcomes ?? assert.fail(`the corpus has no ${key}`);
  return outcomes.flatMap((outcome) => (outcome.kind === 'document' ? [outcome.document] : []));
}

function textOf(key: string): string {
  const [document, ...others] = documentsOf(key);
  assert.deepEqual(others, []);
  return document?.text ?? assert.fail(`${key} has no document`);
}

test('every object gives as many documents as an independent count', { skip }, () => {
  assert.ok(objects.size > 1900);
  for (const [key, object] of objects) {
    const { outcomes = [] } = reads.get(key) ?? {};
    const failed = outcomes.some(({ kind }) => kind === 'failed');
    assert.deepEqual({ documents: documentsOf(key).length, failed }, expectedOf(object), JSON.stringify(key));
  }
});

test('every heading stands in its text', { skip }, () => {
  for (const key of objects.keys()) {
    for (const { text, headings } of documentsOf(key)) {
      let before = -1;
      for (const { start, level } of headings) {
        assert.ok(start > before && start < text.length && level >= 1 && level <= 6, JSON.stringify(key));
        before = start;
      }
    }
  }
});

test('every record stands where its offset says', { skip }, () => {
  for (const [key, { bytes }] of objects) {
    if (!key.endsWith('.jsonl') || bytes.length === 0) continue;
    for (const { record, fields } of documentsOf(key)) {
      assert.ok(typeof record === 'number');
      const line = bytes.subarray(record).toString().split('\n', 1)[0] ?? '';
      const values = Object.entries(JSON.parse(line) as object).filter(([, value]) => value !== null);
      assert.deepEqual(fields, Object.fromEntries(values), `${key} at ${record}`);
    }
  }
});

test('of the broken lines each is told by its offset', { skip }, () => {
  const { bytes } = objects.get('qa/malformed.jsonl') ?? assert.fail();
  const lines = bytes.toString().split('\n');
  const starts = lines.map((_, n) => Buffer.byteLength(lines.slice(0, n).join('\n')) + (n > 0 ? 1 : 0));
  const { outcomes = [] } = reads.get('qa/malformed.jsonl') ?? {};
  const byLine = outcomes.map((outcome) => {
    const record =
      outcome.kind === 'document' ? outcome.document.record : 'record' in outcome ? outcome.record : null;
    return `${starts.indexOf(Number(record)) + 1} ${outcome.kind}`;
  });
  assert.deepEqual(byLine, [
    '1 document',
    '3 failed',
    '4 document',
    '5 failed',
    '6 document',
    '8 failed',
    '9 skipped',
    '10 skipped',
    '11 document',
  ]);
});

test('pages in encodings that they declare are read without a replacement', { skip }, () => {
  for (const [folderName, pattern] of [
    ['manual/ko/', /[가-힣]/],
    ['manual/de/', /[äöüß]/],
    ['manual/ja/', /[ぁ-ん]/],
  ] as const) {
    const keys = [...objects.keys()].filter((key) => key.startsWith(folderName) && key.endsWith('.html'));
    assert.ok(keys.length > 5, folderName);
    for (const key of keys) {
      assert.equal(reads.get(key)?.invalidBytes, 0, key);
      assert.match(textOf(key), pattern, key);
    }
  }
});

test('one text in several encodings is one text', { skip }, () => {
  const text = textOf('encodings/crlf.txt').replaceAll('\r\n', '\n');
  assert.equal(textOf('encodings/cr-only.txt').replaceAll('\r', '\n'), text);
  assert.equal(textOf('encodings/utf8-bom.md'), text);
  assert.equal(textOf('encodings/utf16le-bom.txt'), textOf('encodings/utf16be-bom.txt'));
});

test('a page gives what it has to say, and no menus', { skip }, async () => {
  const formats = join(shared ?? '', 'data', 'formats');
  const lines = readFileSync(join(formats, 'expected.jsonl'), 'utf8').trim().split('\n');
  const expected = lines
    .map((line) => JSON.parse(line) as ExpectedFormat)
    .filter(({ format }) => format === 'html');
  assert.ok(expected.length >= 4);
  for (const page of expected) {
    const { outcomes, invalidBytes } = await readDocuments(
      objectOf(page.file, readFileSync(join(formats, page.file))),
    );
    const [outcome] = outcomes;
    assert.equal(outcome?.kind, 'document');
    assert.equal(invalidBytes, 0, page.file);
    const text = outcome.document.text.replace(/\s+/g, ' ');
    for (const sentence of page.must_contain) assert.ok(text.includes(sentence), `${page.file}: ${sentence}`);
    for (const menu of page.should_not_contain_after_boilerplate_removal ?? []) {
      assert.ok(!text.includes(menu), `${page.file}: ${menu}`);
    }
    if (page.title !== undefined) assert.ok(outcome.document.title?.includes(page.title), page.file);
  }
});

interface ExpectedFormat {
  readonly file: string;
  readonly format: string;
  readonly must_contain: readonly string[];
  readonly should_not_contain_after_boilerplate_removal?: readonly string[];
  readonly title?: string;
}
