import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { layoutNames, layouts } from '#embatch/sinks/opensearch/layouts.js';
import { estimateBytes, serialiseRow, vectorJson } from '#embatch/sinks/opensearch/ndjson.js';
import { aRow } from '../../../conformance/sink-rows.js';

/** Every float32 is a pattern of 32 bits; `step` walks all exponents and signs. */
function sampledFloats(step: number): Float32Array {
  const bits = new Uint32Array(Math.floor(2 ** 32 / step));
  for (let n = 0; n < bits.length; n++) bits[n] = n * step;
  return new Float32Array(bits.buffer).filter(Number.isFinite);
}

/** The double nearest to the decimal, rounded to float32, as JavaScript does. */
function parsed(json: string): Float32Array {
  return Float32Array.from(JSON.parse(json) as number[]);
}

describe('opensearch: vectors as text', () => {
  it('every sampled float32 comes back bit for bit', () => {
    const floats = sampledFloats(9973);
    assert.ok(floats.length > 400_000);
    assert.deepEqual(new Uint32Array(parsed(vectorJson(floats)).buffer), new Uint32Array(floats.buffer));
  });

  it('powers of two and their neighbours come back bit for bit', () => {
    const bits = Array.from({ length: 254 }, (_, n) => (n + 1) << 23).flatMap((one) => [
      one - 1,
      one,
      one + 1,
    ]);
    const floats = new Float32Array(Uint32Array.from(bits).buffer).filter(Number.isFinite);
    assert.deepEqual(parsed(vectorJson(floats)), floats);
  });

  it('the decimal is nearer to its float than the middle to the next: any parser rounds it right', () => {
    const floats = sampledFloats(99_991).filter((value) => Math.abs(value) > 1e-14 && Math.abs(value) < 8e6);
    const texts = JSON.parse(vectorJson(floats)) as number[];
    const bits = new Uint32Array(floats.buffer);
    const neighbour = (pattern: number): number => new Float32Array(Uint32Array.of(pattern).buffer)[0] ?? NaN;
    for (const [n, value] of floats.entries()) {
      const gap = Math.min(
        Math.abs(neighbour((bits[n] ?? 0) + 1) - value),
        Math.abs(neighbour((bits[n] ?? 0) - 1) - value),
      );
      assert.ok(Math.abs((texts[n] ?? NaN) - value) < gap * 0.5001, `${value} as ${texts[n]}`);
    }
  });

  it('is short, and plain for plain numbers', () => {
    assert.equal(
      vectorJson(Float32Array.of(0, -0, 1, -1, 0.5, 0.1, 0.03, -0.0625, 1.5e-7, 8388607, 1e10)),
      '[0,-0.0,1,-1,0.5,0.1,0.03,-0.0625,1.5e-7,8388607,10000000000]',
    );
    const { vector } = aRow(1, 384);
    assert.ok(vectorJson(vector).length / vector.length < 12.5);
  });

  it('reads its own part of a shared buffer', () => {
    const all = Float32Array.of(1, 2, 3, 4);
    assert.equal(vectorJson(all.subarray(1, 3)), '[2,3]');
  });
});

describe('opensearch: rows as lines', () => {
  for (const name of layoutNames) {
    const layout = layouts[name];
    const odd = {
      ...aRow(3, 32),
      text: 'ü "quoted" \\ \u2028 \u0000 🙂 \ud800',
      metadata: {
        ...aRow(3, 32).metadata,
        record: 'a\nb',
        fields: { __proto__x: 1, list: [null, { a: 'ß' }] },
      },
    };

    it(`${name}: two lines of JSON, and the way back`, () => {
      const [action = '', source = '', ...rest] = serialiseRow(odd, layout).bytes.toString().split('\n');
      assert.deepEqual(rest, ['']);
      assert.deepEqual(JSON.parse(action), { index: { _id: odd.id } });
      const { [layout.vectorField]: vector, ...stored } = JSON.parse(source) as Record<string, unknown>;
      assert.deepEqual(Float32Array.from(vector as number[]), odd.vector);
      const { text, metadata, embatch } = odd;
      assert.deepEqual(layout.fromSource(stored), { text, metadata, embatch });
    });

    it(`${name}: the estimate is never too small, and near`, () => {
      for (const row of [
        odd,
        aRow(1, 1024),
        { ...odd, text: 'x'.repeat(10_000) },
        { ...odd, vector: new Float32Array(8).fill(-1.2345678e-6) },
      ]) {
        const exact = serialiseRow(row, layout).bytes.length;
        const estimate = estimateBytes(row, layout);
        assert.ok(estimate >= exact && estimate < exact * 1.6, `${estimate} for ${exact}`);
      }
    });
  }

  it('a field named __proto__ is a field', () => {
    const fields = JSON.parse('{"__proto__": {"x": 1}, "long": "' + 'y'.repeat(40_000) + '"}') as Record<
      string,
      unknown
    >;
    const row = { ...aRow(1, 4), metadata: { ...aRow(1, 4).metadata, fields } };
    const source = JSON.parse(
      serialiseRow(row, layouts.langchain).bytes.toString().split('\n')[1] ?? '',
    ) as Record<string, unknown>;
    const back = layouts.langchain.fromSource(source).metadata.fields ?? {};
    assert.deepEqual(new Map(Object.entries(back)), new Map(Object.entries(fields)));
    assert.equal(Object.getPrototypeOf(back), Object.prototype);
  });
});

describe('opensearch: what the frameworks look for', () => {
  it('llamaindex: a node that its source document can be told from', () => {
    const row = { ...aRow(1, 4), metadata: { ...aRow(1, 4).metadata, record: 17 } };
    const { metadata } = layouts.llamaindex.toSource(row) as { metadata: Record<string, string> };
    const node = JSON.parse(metadata['_node_content'] ?? '') as Record<string, unknown>;
    assert.equal(node['id_'], row.id);
    assert.equal(node['class_name'], 'TextNode');
    assert.deepEqual(node['metadata'], row.metadata);
    assert.equal(metadata['_node_type'], 'TextNode');
    for (const name of ['doc_id', 'document_id', 'ref_doc_id'])
      assert.equal(metadata[name], `${row.metadata.source}#17`);
  });

  it('haystack: id, content and flat metadata, and no `meta`', () => {
    const row = aRow(1, 4);
    const source = layouts.haystack.toSource(row);
    assert.deepEqual(
      Object.keys(source).sort(),
      ['content', 'embatch', 'id', ...Object.keys(row.metadata)].sort(),
    );
  });

  it('every string of the metadata can be filtered as `x` and as `x.keyword`', () => {
    const { metadata } = layouts.langchain.properties as unknown as {
      metadata: { properties: Record<string, { type: string; fields?: object }> };
    };
    for (const name of ['source', 'key', 'etag', 'content_type', 'title', 'record', 'heading']) {
      const { type, fields } = metadata.properties[name] ?? {};
      assert.deepEqual([type, Object.keys(fields ?? {})], ['keyword', ['keyword']], name);
    }
  });
});
