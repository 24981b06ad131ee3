import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { isEmbatchError } from '#embatch/core/errors.js';
import { openSource } from '#embatch/source/open-source.js';
import { faultProxyDuringTests } from '../../support/fault-proxy.js';
import { recordingLogger } from '../../support/recording-logger.js';
import { testBucketDuringTests } from '../../support/s3-bucket.js';
import { throughProxy } from '../../support/s3-source.js';
import { s3Url, skipWithoutS3 as skip } from '../../support/services.js';
import { collect, collectKeys, readAll } from '../../support/sources.js';
import { tempFolder } from '../../support/temp-folder.js';

const proxy = faultProxyDuringTests(s3Url, skip);
const bucket = testBucketDuringTests(async (bucket) => {
  await bucket.putAll([
    ['docs/a b.md', 'one'],
    ['docs/😀.md', 'two'],
    ['docs/\uff21.md', 'three'],
    ['docs/not named.md', 'four'],
  ]);
});

const manifestOf = (...rest: string[]): string =>
  JSON.stringify([{ prefix: `s3://${bucket.name}/docs/` }, ...rest]);

test('a manifest in S3 or in a file names its objects; HEAD gives size and version', { skip }, async (t) => {
  const manifest = manifestOf('😀.md', 'a b.md', '\uff21.md', 'a b.md');
  await bucket.put('lists/x.manifest', manifest);
  const file = join(await tempFolder(t), 'x.manifest');
  await writeFile(file, manifest);
  for (const uri of [`manifest:s3://${bucket.name}/lists/x.manifest`, `manifest:${file}`]) {
    const source = await openSource(uri, { log: recordingLogger() });
    const plain = await openSource(`s3://${bucket.name}/docs/`, {
      log: recordingLogger(),
      exclude: ['not named.md'],
    });
    assert.deepEqual([source.id, source.uri], [`s3://${bucket.name}`, uri]);
    const objects = await collect(source);
    // The times of a HEAD have no fractions of seconds.
    const known = await collect(plain);
    assert.deepEqual(
      objects.map(({ key, size, version }) => [key, size, version]),
      known.map(({ key, size, version }) => [key, size, version]),
    );
    const texts = [];
    for (const object of objects) texts.push((await readAll(await source.open(object))).toString());
    assert.deepEqual(texts, ['one', 'three', 'two']);
    await source.close();
    await plain.close();
  }
});

test('what a manifest names and is not there is listed, and fails when opened', { skip }, async (t) => {
  const file = join(await tempFolder(t), 'x.manifest');
  await writeFile(file, manifestOf('a b.md', 'missing.md'));
  const source = await openSource(`manifest:${file}`, { log: recordingLogger() });
  const objects = await collect(source);
  assert.deepEqual(
    objects.map(({ key, size }) => [key, size]),
    [
      ['docs/a b.md', 3],
      ['docs/missing.md', -1],
    ],
  );
  const [, missing] = objects;
  assert.ok(missing);
  await assert.rejects(
    source.open(missing),
    (error) =>
      isEmbatchError(error, 'OBJECT_UNREADABLE') &&
      error.message.includes('the manifest names it, but there is no'),
  );
  await bucket.put('docs/missing.md', 'found');
  assert.equal((await readAll(await source.open(missing))).toString(), 'found');
  await source.close();
});

test('a denied object costs that object, an archived one is to be skipped', { skip }, async (t) => {
  const Key = 'docs/old.md';
  await bucket.client.send(
    new PutObjectCommand({ Bucket: bucket.name, Key, Body: 'x', StorageClass: 'DEEP_ARCHIVE' }),
  );
  const file = join(await tempFolder(t), 'x.manifest');
  await writeFile(file, manifestOf('a b.md', 'old.md', '\uff21.md'));
  proxy.add({ when: ({ url }) => url.includes('a%20b.md'), fault: { kind: 'respond', status: 403 } });
  const source = await throughProxy(proxy, () => openSource(`manifest:${file}`, { log: recordingLogger() }));
  const objects = await collect(source);
  assert.deepEqual(
    objects.map(({ key, size, skip: reason }) => [key, size, reason]),
    [
      ['docs/a b.md', -1, undefined],
      ['docs/old.md', 1, 'archived'],
      ['docs/\uff21.md', 5, undefined],
    ],
  );
  const [denied] = objects;
  assert.ok(denied);
  await assert.rejects(source.open(denied), (error) => isEmbatchError(error, 'OBJECT_DENIED'));
  await source.close();
});

test('a manifest that is missing or not understood ends the job before it begins', { skip }, async () => {
  await bucket.put('lists/bad.manifest', '{"no": "array"}');
  const log = recordingLogger();
  for (const [key, code, message] of [
    ['lists/none.manifest', 'SOURCE', /Cannot read the manifest s3:\S+none\.manifest: .*NoSuchKey/],
    ['lists/bad.manifest', 'USAGE', /The manifest s3:\S+bad\.manifest is not understood: it is no array/],
  ] as const) {
    await assert.rejects(
      openSource(`manifest:s3://${bucket.name}/${key}`, { log }),
      (error) => isEmbatchError(error, code) && message.test(error.message),
    );
  }
});

test('globs and limit apply to a manifest', { skip }, async () => {
  await bucket.put('lists/y.manifest', manifestOf('😀.md', 'a b.md', '\uff21.md'));
  const options = { log: recordingLogger(), exclude: ['a*'], limit: 1 };
  const source = await openSource(`manifest:s3://${bucket.name}/lists/y.manifest`, options);
  assert.deepEqual(await collectKeys(source), ['docs/\uff21.md']);
  await source.close();
});
