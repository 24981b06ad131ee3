import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import { parseManifest } from '#embatch/source/manifest.js';

test('a manifest names whole keys, in the order of their bytes, each once', () => {
  const text =
    '[{"prefix": "s3://b/docs/"}, "b.md", "\\ud83d\\ude00", "\\uff21", "a/b", "a.md", "b.md", " "]';
  assert.deepEqual(parseManifest(text, 'm'), {
    location: { bucket: 'b', prefix: 'docs/' },
    keys: ['docs/ ', 'docs/a.md', 'docs/a/b', 'docs/b.md', 'docs/\uff21', 'docs/😀'],
  });
});

test('a prefix is joined as it is, and may be the whole key', () => {
  assert.deepEqual(parseManifest('[{"prefix": "s3://b/doc"}, "s.md", ""]', 'm').keys, ['doc', 'docs.md']);
  assert.deepEqual(parseManifest('[{"prefix": "s3://b"}]', 'm').keys, []);
});

for (const [text, reason] of [
  ['{', /is not understood: /],
  ['{"prefix": "s3://b"}', /it is no array/],
  ['[]', /its first element names no S3 prefix/],
  ['["a.md"]', /its first element names no S3 prefix/],
  ['[{"prefix": "/data"}, "a"]', /its first element names no S3 prefix/],
  [
    '[{"prefix": "s3://b/"}, "a", {"source-ref": "x"}]',
    /element 2 is \{"source-ref":"x"\}, not the rest of a key/,
  ],
  ['[{"prefix": "s3://b/"}, ""]', /element 1 is "", not the rest of a key/],
  ['[{"prefix": "s3://b/"}, 5]', /element 1 is 5/],
] as const) {
  test(`the manifest ${text} is refused in words`, () => {
    assert.throws(
      () => parseManifest(text, 'x.manifest'),
      (error) =>
        isEmbatchError(error, 'USAGE') && error.message.includes('x.manifest') && reason.test(error.message),
    );
  });
}
