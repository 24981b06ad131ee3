/** Of an object that is read by ranges, every record comes out once, as if it had been read in one go. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PartOutcome } from '#embatch/core/documents.js';
import { readParts } from '#embatch/document/read-parts.js';
import { canBeginAnywhere, readRange } from '#embatch/document/read-range.js';
import { splitIntoRanges } from '#embatch/shard/record-ranges.js';

/** Numbers from 0 to 1, the same for a seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

function linesOf(random: () => number): Buffer {
  const ends = ['\n', '\r\n', '\r'];
  let text = random() < 0.3 ? '\ufeff' : '';
  const count = 1 + Math.floor(random() * 40);
  for (let line = 0; line < count; line++) {
    const isEmpty = random() < 0.1;
    const word = random() < 0.2 ? 'ä€😀' : 'word';
    text += isEmpty ? '' : JSON.stringify({ text: word.repeat(1 + Math.floor(random() ** 3 * 60)), line });
    const isLast = line === count - 1;
    if (!isLast || random() < 0.5) text += ends[Math.floor(random() * ends.length)] ?? '\n';
  }
  return Buffer.from(text);
}

/** The bytes in pieces of any size. */
async function* arriving(bytes: Buffer, random: () => number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length;) {
    const length = 1 + Math.floor(random() * 50);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

/** What each record holds, by its position; every position once. */
async function recordsOf(outcomes: AsyncIterable<PartOutcome>, into: Map<number, string>): Promise<void> {
  for await (const outcome of outcomes) {
    if (outcome.kind === 'failed') {
      assert.equal(typeof outcome.record, 'number');
      add(into, Number(outcome.record), 'too long');
    }
    if (outcome.kind !== 'part') continue;
    const { bytes, offset } = outcome.part;
    const text = Buffer.from(bytes).toString('latin1');
    let at = offset;
    for (const line of text.match(/[^\r\n]*(?:\r\n|\r|\n|$)/g) ?? []) {
      if (line !== '') add(into, at, line);
      at += line.length;
    }
  }
}

function add(into: Map<number, string>, position: number, record: string): void {
  assert.ok(!into.has(position), `the record at ${position} came twice`);
  into.set(position, record);
}

test('any ranges of any lines give the records of the whole, each once and at its position', async () => {
  for (let seed = 1; seed <= 400; seed++) {
    const random = randomFrom(seed);
    const bytes = linesOf(random);
    const object = { key: 'a.jsonl', size: bytes.length, version: 'v', lastModified: '' };
    const options = { maxDocumentBytes: 150, partBytes: 1 + Math.floor(random() * 400) };
    const open = { object, contentType: undefined, body: arriving(bytes, random) };
    const whole = new Map<number, string>();
    await recordsOf(readParts(open, options), whole);

    const rangeBytes = 1 + Math.floor(random() * bytes.length);
    const together = new Map<number, string>();
    const ranges = splitIntoRanges(bytes.length, rangeBytes) ?? [];
    for (const range of ranges) {
      const body = arriving(bytes.subarray(Math.max(0, range.start - 1)), random);
      const outcomes =
        range.start === 0
          ? readParts({ object, contentType: undefined, body }, { ...options, end: range.end })
          : readRange(body, range, options);
      await recordsOf(outcomes, together);
    }
    if (ranges.length === 0) continue;
    assert.deepEqual([...together].sort(byPosition), [...whole].sort(byPosition), `seed ${seed}`);
  }
});

const byPosition = (a: readonly [number, string], b: readonly [number, string]): number => a[0] - b[0];

test('a range is not read further than its last record', async () => {
  const bytes = Buffer.from('{"text":"one"}\n'.repeat(1000));
  let read = 0;
  async function* body(): AsyncGenerator<Uint8Array> {
    for (let at = 99; at < bytes.length; at += 100) {
      read = at + 100;
      yield bytes.subarray(at, at + 100);
    }
  }
  const outcomes = readRange(body(), { start: 100, end: 500 }, { maxDocumentBytes: 1000, partBytes: 64 });
  let parts = 0;
  for await (const { kind } of outcomes) if (kind === 'part') parts += 1;
  assert.ok(parts > 0);
  assert.ok(read < 800, `it was read up to ${read}`);
});

test('what has no plain lines is not read by ranges', () => {
  const lines = '{"text":"one"}\n{"text":"two"}\n';
  assert.equal(canBeginAnywhere(Buffer.from(lines)), true);
  assert.equal(canBeginAnywhere(Buffer.from(`\ufeff${lines}`)), true);
  assert.equal(canBeginAnywhere(Buffer.from(`\ufeff${lines}`, 'utf16le')), false);
  assert.equal(canBeginAnywhere(Buffer.from([0x1f, 0x8b, 8, 0])), false);
  assert.equal(canBeginAnywhere(Buffer.from('PK\x03\x04\0\0')), false);
});
