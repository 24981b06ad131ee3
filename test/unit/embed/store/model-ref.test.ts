import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseModelRef, type ModelRef } from '#embatch/embed/store/model-ref.js';
import { openModel } from '#embatch/embed/store/open-model.js';
import { recordingLogger } from '../../../support/recording-logger.js';
import { tempFolder } from '../../../support/temp-folder.js';

const commit = '0123456789abcdef0123456789abcdef01234567';

const good: readonly (readonly [string, ModelRef])[] = [
  ['all-MiniLM-L6-v2', { kind: 'bundled', name: 'all-MiniLM-L6-v2' }],
  ['./all-MiniLM-L6-v2', { kind: 'folder', path: './all-MiniLM-L6-v2' }],
  ['models/bge', { kind: 'folder', path: 'models/bge' }],
  ['C:\\models\\bge', { kind: 'folder', path: 'C:\\models\\bge' }],
  ['hf:BAAI/bge-m3', { kind: 'hub', id: 'BAAI/bge-m3', revision: 'main' }],
  ['hf:bert-base-uncased', { kind: 'hub', id: 'bert-base-uncased', revision: 'main' }],
  ['hf:a/b@v1.0', { kind: 'hub', id: 'a/b', revision: 'v1.0' }],
  ['hf:a/b@refs/pr/7', { kind: 'hub', id: 'a/b', revision: 'refs/pr/7' }],
  [`hf:a/b@${commit}`, { kind: 'hub', id: 'a/b', revision: commit }],
  ['s3://bucket/models/bge/', { kind: 's3', bucket: 'bucket', prefix: 'models/bge' }],
  ['s3://bucket', { kind: 's3', bucket: 'bucket', prefix: '' }],
];

for (const [ref, expected] of good) {
  test(`${ref} is understood`, () => {
    assert.deepEqual(parseModelRef(ref), expected);
  });
}

const bad: readonly (readonly [string, RegExp])[] = [
  ['', /it is empty/],
  ['  ', /it is empty/],
  ['hf:', /the name is missing/],
  ['hf:a/b/c', /at most one slash/],
  ['hf:a/', /letters, digits/],
  ['hf:a/b c', /letters, digits/],
  ['hf:../b', /begins or ends with/],
  ['hf:a/..', /begins or ends with/],
  ['hf:a--b/c', /"--"/],
  [`hf:a/${'b'.repeat(97)}`, /longer than 96/],
  ['hf:a/b@', /revision after "@" is missing/],
  ['hf:a/b@../../x', /no branch, tag or commit/],
  ['hf:a/b@/x', /no branch, tag or commit/],
  ['hf:a/b@x y', /no branch, tag or commit/],
  ['hf://a/b', /hf:a\/b/],
  ['https://huggingface.co/BAAI/bge-m3/tree/main', /written hf:BAAI\/bge-m3/],
  ['gs://bucket/x', /gs:\/\/ is not known/],
  ['s3:bucket/x', /s3:\/\/bucket\/prefix/],
];

for (const [ref, message] of bad) {
  test(`"${ref}" is refused`, () => {
    assert.throws(() => parseModelRef(ref), { code: 'USAGE', message });
  });
}

const options = { precision: 'auto', log: recordingLogger() } as const;

test('a folder and a bundled model are where they are, without a revision', async (t) => {
  const folder = await tempFolder(t);
  assert.deepEqual(await openModel(folder, options), {
    id: folder.split('/').at(-1),
    revision: null,
    folder,
  });
  const bundled = await openModel('all-MiniLM-L6-v2', options);
  assert.deepEqual([bundled.id, bundled.revision], ['all-MiniLM-L6-v2', null]);
});

test('a folder that is not there and could be a name on the hub is asked about', async () => {
  await assert.rejects(openModel('BAAI/bge-m3', options), {
    code: 'MODEL',
    message: /write hf:BAAI\/bge-m3\.$/,
  });
  await assert.rejects(openModel('./nowhere', options), { code: 'MODEL', message: /nowhere\.$/ });
});
