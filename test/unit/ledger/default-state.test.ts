import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultStateUri } from '#embatch/ledger/default-state.js';

describe('where the state lies by default', () => {
  const beside: readonly (readonly [sink: string, state: string])[] = [
    ['lancedb:./vectors', './vectors/.embatch'],
    ['lancedb:./vectors/', './vectors/.embatch'],
    ['lancedb:/', '/.embatch'],
    ['lancedb:C:\\data', 'C:\\data/.embatch'],
    ['jsonl:/data/out', '/data/out/.embatch'],
    ['parquet:out', 'out/.embatch'],
    ['jsonl:s3://bucket/out/', 's3://bucket/out/.embatch'],
    ['lancedb:s3://bucket', 's3://bucket/.embatch'],
  ];
  for (const [sink, state] of beside) {
    it(`${sink} keeps it inside`, () => assert.equal(defaultStateUri('./docs', sink), state));
  }

  const remote = [
    defaultStateUri('s3://bucket/docs', 'opensearch://host:9200/index'),
    defaultStateUri('s3://bucket/other', 'opensearch://host:9200/index'),
    defaultStateUri('s3://bucket/docs', 'opensearch://host:9200/index2'),
    defaultStateUri('s3://bucket/docs', './my-sink.js'),
  ];

  it('a remote sink has it in the current folder, named after source and sink', () => {
    assert.match(remote[0] ?? '', /^\.embatch\/s3-bucket-docs-opensearch-host-9200-index-[0-9a-f]{8}$/);
    assert.equal(new Set(remote).size, remote.length);
    assert.equal(defaultStateUri('s3://bucket/docs', 'opensearch://host:9200/index'), remote[0]);
  });

  it('long names are cut, and stay different', () => {
    const long = (tail: string): string =>
      defaultStateUri(`s3://bucket/${'deep/'.repeat(50)}${tail}`, 'opensearch://h/i');
    assert.ok(long('a').length < 90);
    assert.notEqual(long('a'), long('b'));
  });

  it('a password in a URI neither shows nor counts', () => {
    const state = defaultStateUri('./docs', 'opensearch://admin:secret@host:9200/index');
    assert.ok(!state.includes('secret') && !state.includes('admin'));
    assert.equal(state, defaultStateUri('./docs', 'opensearch://host:9200/index'));
  });
});
