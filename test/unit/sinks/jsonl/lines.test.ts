import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Row } from '#embatch/core/interfaces.js';
import {
  idOfLine,
  isRemoval,
  labelsOfLine,
  lineOfRemoval,
  lineOfRow,
  linesOf,
  removalOfLine,
  rowOfLine,
} from '#embatch/sinks/jsonl/lines.js';
import { aRow } from '../../../conformance/sink-rows.js';

describe('lines of JSONL', () => {
  it('a row is one line with the keys of the contract, in their order', () => {
    const line = lineOfRow({ ...aRow(1, 2), vector: Float32Array.of(0.25, -0.5), text: 'a\nb\u2028' });
    assert.equal(line.indexOf('\n'), line.length - 1);
    const parsed = JSON.parse(line) as Record<string, unknown>;
    assert.deepEqual(Object.keys(parsed), ['id', 'text', 'vector', 'metadata', 'embatch']);
    assert.deepEqual(parsed['vector'], [0.25, -0.5]);
    assert.equal(parsed['text'], 'a\nb\u2028');
  });

  it('every float32 comes back bit for bit', () => {
    const special = [
      0,
      -0,
      1,
      -1,
      1e-45,
      -1e-45,
      1.17549435e-38,
      3.4028235e38,
      0.1,
      1 / 3,
      16777217,
      8388608.5,
    ];
    const bits = new Uint32Array(20_000);
    let state = 12345;
    for (let n = 0; n < bits.length; n++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      // The exponent of all ones stands for what is no number.
      bits[n] = (state & 0x7f800000) === 0x7f800000 ? state & 0x807fffff : state;
    }
    const vector = Float32Array.from([...special, ...new Float32Array(bits.buffer)]);
    const back = rowOfLine(Buffer.from(lineOfRow({ ...aRow(1, 2), vector }).trimEnd())).vector;
    assert.deepEqual(new Uint32Array(back.buffer), new Uint32Array(vector.buffer));
  });

  for (const id of ['plain', 'with "quotes"', 'back\\slash', 'ü🙂', 'new\nline', '']) {
    it(`finds the id ${JSON.stringify(id)} in a line`, () => {
      const line = lineOfRow({ ...aRow(1, 2), id }).trimEnd();
      assert.equal(idOfLine(Buffer.from(line)), id);
      assert.equal(
        idOfLine(Buffer.from(JSON.stringify({ text: '{"id":"no"}', id }))),
        id,
        'in another order',
      );
    });
  }

  it('lines are found wherever the pieces are cut; one without an end is incomplete', async () => {
    const text = Buffer.from('a\n\nübers\n🙂 last\ntorn');
    for (let size = 1; size <= text.length; size++) {
      const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, n) =>
        text.subarray(n * size, (n + 1) * size),
      );
      const lines: [string, boolean][] = [];
      for await (const { bytes, complete } of linesOf(asyncOf(pieces))) {
        lines.push([Buffer.from(bytes).toString(), complete]);
      }
      assert.deepEqual(lines, [
        ['a', true],
        ['', true],
        ['übers', true],
        ['🙂 last', true],
        ['torn', false],
      ]);
    }
  });

  it('what a row says of itself is read without its numbers, also where the words of a line stand in its text', () => {
    const odd = `],"metadata":{"chunk":7},"vector":[1],"metadata":{`;
    const row: Row = {
      ...aRow(1, 4),
      text: odd,
      metadata: {
        ...aRow(1, 4).metadata,
        title: odd,
        record: odd,
        fields: { vector: [1], metadata: { chunk: 9 }, list: [1], embatch: { version: odd } },
      },
      embatch: { ...aRow(1, 4).embatch, version: odd },
    };
    const { id, metadata, embatch } = row;
    const reordered = { embatch, metadata, vector: [1], text: odd, id };
    const idFirst = { id, embatch, metadata, vector: [1], text: odd };
    const texts = [lineOfRow(row).trimEnd(), ...[reordered, idFirst].map((other) => JSON.stringify(other))];
    for (const line of texts)
      assert.deepEqual(labelsOfLine(Buffer.from(line)), { id, metadata, embatch }, line);
    const broken = lineOfRow(row).replace('0.', 'x.').trimEnd();
    assert.deepEqual(
      labelsOfLine(Buffer.from(broken)),
      { id, metadata, embatch },
      'numbers are not looked at',
    );
  });

  it('a removal is a line of its own kind, and no text makes a row one', () => {
    const keep = { version: `it's "v"\n`, fingerprint: 'f' };
    for (const stale of [
      { object: 'o', keep: undefined },
      { object: 'ü"', keep },
    ]) {
      const line = lineOfRemoval(stale);
      assert.equal(line.indexOf('\n'), line.length - 1);
      assert.ok(isRemoval(Buffer.from(line)));
      assert.deepEqual(removalOfLine(Buffer.from(line.trimEnd())), stale);
    }
    const row = { ...aRow(1, 2), id: '{"removed":', text: '{"removed":{}}' };
    assert.ok(!isRemoval(Buffer.from(lineOfRow(row))));
  });
});

async function* asyncOf<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
