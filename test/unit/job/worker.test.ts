import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { chunkId, recordName } from '#embatch/core/ids.js';
import type { ParsedPart, Part } from '#embatch/core/interfaces.js';
import { parsePart } from '#embatch/document/parse-part.js';
import { createTextEmbedder, type TextEmbedder } from '#embatch/embed/compute/text-embedder.js';
import { CancelledError } from '#embatch/embed/pool.js';
import type { BundlePart, EmbeddedDocument } from '#embatch/job/bundle.js';
import { chunkParts, outlineParts } from '#embatch/job/worker-chunk.js';
import { embedParts } from '#embatch/job/worker-embed.js';
import { parseWanted } from '#embatch/job/worker-parse.js';
import { writeFailingModel } from '../../support/failing-model.js';
import { loadFolder } from '../../support/models.js';
import { lines, noFields, openFailing, partOf, type Stages } from './worker-parts.js';

let stages: Stages;
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'embatch-test-'));
  stages = await openFailing(folder);
});
after(() => rm(folder, { recursive: true, force: true }));

/** More tokens than the model's graph really takes. */
const tooLong = 'hello world '.repeat(24);
const texts = [
  'the small graph',
  'a vector',
  'hello',
  'of the world',
  'small world',
  'graph of vectors',
  'end',
];

async function embed(parts: readonly BundlePart[], embedder: TextEmbedder = stages.embedder) {
  const { chunker, dimensions } = stages;
  const chunked = await chunkParts(parts, { chunker, fields: noFields });
  const embedded = await embedParts(chunked, embedder, { dimensions, fingerprint: 'f' });
  return embedded.parts.flatMap(({ documents }) => documents);
}

function vectorsById(documents: readonly EmbeddedDocument[]): Map<string, number[]> {
  const rows = documents.flatMap((document) => (document.kind === 'embedded' ? document.rows : []));
  return new Map(rows.map(({ id, vector }) => [id, [...vector]]));
}

describe('a text that the model fails on', () => {
  it('is a dead letter with the words of ONNX Runtime, and all others get the vectors they would have anyway', async () => {
    const good = texts.map((text, n) => partOf(`${n}.txt`, 'text', text));
    const expected = vectorsById(await embed(good));
    assert.equal(expected.size, texts.length);
    for (let place = 0; place <= good.length; place++) {
      const documents = await embed(good.toSpliced(place, 0, partOf('bad.txt', 'text', tooLong)));
      assert.deepEqual(vectorsById(documents), expected);
      const failed = documents[place];
      assert(failed?.kind === 'failed');
      assert.deepEqual([failed.record, failed.stage, failed.chunk], [null, 'embed', 0]);
      assert.match(failed.reason, /^the model failed on chunk 0 of 1: .*axis by a dimension other than 1/);
    }
  });

  it('costs its document and not the other records of its object, one letter for several chunks', async () => {
    const content = lines(
      { text: 'hello' },
      { text: `${tooLong}. ${tooLong}. ${tooLong}` },
      { text: 'world' },
    );
    const [first, failed, last] = await embed([partOf('a.jsonl', 'jsonl', content)]);
    assert.deepEqual([first?.kind, last?.kind], ['embedded', 'embedded']);
    assert(failed?.kind === 'failed');
    assert.match(failed.reason, /^the model failed on \d chunks, the first of them 0, of \d/);
  });

  it('is cut out of its batch without embedding any other twice', async () => {
    const { control, embedder } = await openCounting();
    const parts = Array.from({ length: 64 }, (_, n) => partOf(`${n}.txt`, 'text', n === 40 ? tooLong : 'a'));
    await embed(parts, embedder);
    // `a` and two special tokens.
    assert.equal(Atomics.load(control.tokens, 0), 63n * 3n);
  });

  it('stops with all others where the pool is cancelled', async () => {
    const { control, embedder } = await openCounting();
    Atomics.store(control.cancelled, 0, 1);
    await assert.rejects(embed([partOf('a.txt', 'text', tooLong)], embedder), CancelledError);
  });

  it('fails the call where nobody takes what failed, as for a question', async () => {
    const { embedder } = stages;
    const inputs = await embedder.encode([tooLong, 'hello'], 'plain');
    await assert.rejects(embedder.embed(inputs, 'plain'), { code: 'MODEL' });
  });
});

async function openCounting() {
  const control = {
    cancelled: new Int32Array(new SharedArrayBuffer(4)),
    loaded: new Int32Array(new SharedArrayBuffer(4)),
    tokens: new BigInt64Array(new SharedArrayBuffer(8)),
  };
  const model = await loadFolder(await writeFailingModel(folder));
  const embedder = await createTextEmbedder(model, { batchTokens: 4096, control });
  Atomics.store(control.tokens, 0, 0n);
  return { control, embedder };
}

describe('a document that cannot be cut', () => {
  it('is a dead letter with the words of what threw, and the rest is cut', async () => {
    const chunker = {
      chunk: (document: Parameters<Stages['chunker']['chunk']>[0]) =>
        document.text === 'hello'
          ? Promise.reject(new RangeError('the tokenizer broke'))
          : stages.chunker.chunk(document),
    };
    const parts = [
      partOf('a.jsonl', 'jsonl', lines({ text: 'a' }, { id: 'x', text: 'hello' }, { text: 'b' })),
    ];
    const [part] = await chunkParts(parts, { chunker, fields: noFields });
    assert.deepEqual(
      part?.documents.map(({ kind }) => kind),
      ['chunked', 'failed', 'chunked'],
    );
    assert.deepEqual(part.documents[1], {
      kind: 'failed',
      record: { id: 'x' },
      stage: 'chunk',
      reason: 'the tokenizer broke',
    });
  });
});

describe('a part that the parser throws on', () => {
  const parse = (part: Part): ParsedPart => {
    if (Buffer.from(part.bytes).includes('BAD')) throw new RangeError('Maximum call stack size exceeded');
    return parsePart(part, noFields);
  };

  it('loses the one record that it throws on', () => {
    const records = Array.from({ length: 9 }, (_, n) => ({ text: n === 5 ? 'BAD' : `text ${n}` }));
    const content = lines(...records);
    const { outcomes } = parseWanted(partOf('a.jsonl', 'jsonl', content), parse);
    const bad = content.split('\n').slice(0, 5).join('\n').length + 1;
    assert.deepEqual(
      outcomes.filter(({ kind }) => kind === 'failed'),
      [{ kind: 'failed', record: bad, reason: 'the parser failed: Maximum call stack size exceeded' }],
    );
    const expected = parsePart(partOf('a.jsonl', 'jsonl', content).part, noFields).outcomes.toSpliced(5, 1);
    assert.deepEqual(
      outcomes.filter(({ kind }) => kind === 'document'),
      expected,
    );
  });

  it('that is one document fails as a whole', () => {
    const { outcomes } = parseWanted(partOf('a.html', 'html', '<p>BAD'), parse);
    assert.deepEqual(outcomes, [
      { kind: 'failed', record: null, reason: 'the parser failed: Maximum call stack size exceeded' },
    ]);
  });
});

describe('a part of which some records are wanted', () => {
  const content = `${lines({ text: 'a' }, { id: 'x', text: 'b' }, { id: 7, text: 'c' })}{"text": oops\n${lines({ id: 'e', text: ' ' })}`;
  const offsets = content
    .split('\n')
    .map((_, n, all) => all.slice(0, n).reduce((sum, line) => sum + line.length + 1, 0));
  const cases: [name: string, wanted: readonly (number | { id: string })[], records: unknown[]][] = [
    ['by their offsets', [0], [0]],
    ['by their ids', [{ id: 'x' }, { id: '7' }], [{ id: 'x' }, { id: '7' }]],
    ['by the offset of one that has an id', [offsets[1] ?? -1], [{ id: 'x' }]],
    ['by the offset of one that cannot be parsed', [offsets[3] ?? -1], [offsets[3]]],
    ['by the offset of an empty one', [offsets[4] ?? -1], [{ id: 'e' }]],
    ['and none is there', [{ id: 'other' }, 1], []],
    ['and the list is empty', [], []],
  ];
  for (const [name, wanted, records] of cases) {
    it(name, async () => {
      const part = partOf('a.jsonl', 'jsonl', content, wanted.map(recordName));
      const { outcomes } = parseWanted(part, (piece) => parsePart(piece, noFields));
      assert.deepEqual(
        outcomes.map((outcome) => (outcome.kind === 'document' ? outcome.document.record : outcome.record)),
        records,
      );
      assert.equal((await embed([part])).length, records.length);
    });
  }

  it('keeps the vectors of those', async () => {
    const all = vectorsById(await embed([partOf('a.jsonl', 'jsonl', content)]));
    const some = vectorsById(await embed([partOf('a.jsonl', 'jsonl', content, [recordName({ id: 'x' })])]));
    assert.deepEqual([...some], [...all].slice(1, 2));
  });
});

describe('an outline', () => {
  it('names the rows that embedding gives, and what has none', async () => {
    const content = `${lines({ text: `${texts.join('. ')}. `.repeat(6) }, { id: 'x', text: 'b' }, { text: '' })}{"text": oops\n`;
    const parts = [partOf('a.jsonl', 'jsonl', content), partOf('b.md', 'markdown', '# A title\n\nwords')];
    const { chunker } = await openFailing(folder, { chunkTokens: 32 });
    const chunked = await chunkParts(parts, { chunker, fields: noFields });
    const outlined = outlineParts(chunked);
    const { embedder, dimensions } = stages;
    const embedded = await embedParts(chunked, embedder, { dimensions, fingerprint: 'f' });
    assert.deepEqual(
      outlined.map(({ documents }) =>
        documents.map((document) => ('ids' in document ? document.ids : document.kind)),
      ),
      embedded.parts.map(({ documents }) =>
        documents.map((document) => ('rows' in document ? document.rows.map(({ id }) => id) : document.kind)),
      ),
    );
    const [first, second, third, fourth] = outlined[0]?.documents ?? [];
    assert(first?.kind === 'outlined' && second?.kind === 'outlined');
    assert(first.ids.length > 1);
    assert.equal(first.ids[1], chunkId('s3://bucket/a.jsonl', 0, 1));
    assert.deepEqual(second.record, { id: 'x' });
    assert.deepEqual([third?.kind, fourth?.kind], ['skipped', 'failed']);
  });
});
