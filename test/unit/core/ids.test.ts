import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chunkId, objectHash, objectUri } from '#embatch/core/ids.js';
import type { RecordKey } from '#embatch/core/interfaces.js';

// Computed with Python's hashlib and json (ensure_ascii=False, no spaces).
const golden: readonly [string, RecordKey, number, string][] = [
  ['s3://bucket/docs/a.md', null, 0, '7iwILkrgxi-L_LIVzEE6tvVPDWK5AAQ304xgooKw6FE'],
  ['s3://bucket/données/日本 🚀.jsonl', 1048576, 3, 'rKoTJuxFC3HJPH73iSh4amcr1YSeeyML-Me9PiYSPEw'],
  ['file:///srv/docs/x.csv', { id: 'a/"b"' }, 12, 'B5SN3hl2N3H9H4x_OUDWsQhzZKHIYusDizNx7pFywTE'],
];

for (const [uri, record, chunk, expected] of golden) {
  test(`the id of chunk ${chunk} of ${uri} is the one that another implementation computes`, () => {
    assert.equal(chunkId(uri, record, chunk), expected);
  });
}

test('an id has 43 characters and differs by object, record and chunk', () => {
  const ids = [
    chunkId('s3://b/a', null, 0),
    chunkId('s3://b/a', null, 1),
    chunkId('s3://b/a', 0, 0),
    chunkId('s3://b/a', { id: '0' }, 0),
    chunkId('s3://b/b', null, 0),
  ];
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^[\w-]{43}$/);
});

test('an object URI keeps the key as it is', () => {
  assert.equal(objectUri('s3://bucket', 'odd//../a b%20+.txt'), 's3://bucket/odd//../a b%20+.txt');
  assert.equal(objectHash('s3://bucket/a').length, 43);
});
