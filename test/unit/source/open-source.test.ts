import assert from 'node:assert/strict';
import { appendFile, chmod, rename, symlink, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'node:test';
import { isEmbatchError, type ErrorCode } from '#embatch/core/errors.js';
import type { SourceObject } from '#embatch/core/interfaces.js';
import { openSource, type SourceOptions } from '#embatch/source/open-source.js';
import { recordingLogger } from '../../support/recording-logger.js';
import { collect, collectKeys, readAll } from '../../support/sources.js';
import { tempFolder, writeFiles } from '../../support/temp-folder.js';
import { unprivileged } from '../../support/unprivileged.js';

const options = (more: Partial<SourceOptions> = {}): SourceOptions => ({ log: recordingLogger(), ...more });

function rejectsAs(promise: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> {
  return assert.rejects(promise, (error) => {
    assert.ok(isEmbatchError(error, code), String(error));
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  });
}

test('a folder is named by its real path, a final slash or a link makes no difference', async (t) => {
  const root = await tempFolder(t);
  await writeFiles(root, { 'docs here/a.md': 'x' });
  await symlink('docs here', join(root, 'link'));
  const folder = join(root, 'docs here');
  for (const uri of [folder, `${folder}/`, join(root, 'link'), pathToFileURL(folder).href]) {
    const source = await openSource(uri, options());
    assert.equal(source.id, `file://${folder}`);
    assert.equal(source.uri, uri);
    assert.deepEqual(await collectKeys(source), ['a.md']);
    await source.close();
  }
});

test('a source id takes the place of the path', async (t) => {
  const source = await openSource(await tempFolder(t), options({ sourceId: 's3://bucket/docs/' }));
  assert.equal(source.id, 's3://bucket/docs');
});

test('a single file is a source of one object, named as in its folder', async (t) => {
  const root = await tempFolder(t);
  await writeFiles(root, { '.a.md': 'text', 'b.md': '' });
  const source = await openSource(join(root, '.a.md'), options());
  assert.equal(source.id, `file://${root}`);
  const [object, ...others] = await collect(source);
  assert.deepEqual([object?.key, others], ['.a.md', []]);
  assert.equal((await readAll(await source.open(object as SourceObject))).toString(), 'text');
});

test('globs and limit apply, and a glob may name what is hidden', async (t) => {
  const root = await tempFolder(t);
  const keys = ['.github/a.md', '.git/b.md', 'c.md', 'd.txt', 'drafts/e.md', 'f.md'];
  await writeFiles(root, Object.fromEntries(keys.map((key) => [key, key])));
  const named = await openSource(root, options({ include: ['*.md', '.github/**'], exclude: ['drafts'] }));
  assert.deepEqual(await collectKeys(named), ['.github/a.md', 'c.md', 'f.md']);
  const limited = await openSource(root, options({ include: ['*.md'], limit: 2 }));
  assert.deepEqual(await collectKeys(limited), ['c.md', 'drafts/e.md']);
});

test('a source within the sink is refused, a sink within the source is left out', async (t) => {
  const root = await tempFolder(t);
  await writeFiles(root, { 'a.md': 'x', 'vectors/deep/b.md': 'x' });
  const leaveOut = [join(root, 'vectors')];
  assert.deepEqual(await collectKeys(await openSource(root, options({ leaveOut }))), ['a.md']);
  for (const uri of ['vectors', 'vectors/deep', 'vectors/deep/b.md']) {
    await rejectsAs(openSource(join(root, uri), options({ leaveOut })), 'USAGE', /lies within .*vectors/);
  }
  const neighbour = join(root, 'vectors-not');
  await writeFiles(neighbour, { 'c.md': 'x' });
  assert.deepEqual(await collectKeys(await openSource(neighbour, options({ leaveOut }))), ['c.md']);
});

for (const [uri, code, message] of [
  ['no/such/folder', 'SOURCE', /Cannot read the source no\/such\/folder: there is no such file or folder/],
  ['/dev/null', 'SOURCE', /neither a file nor a folder/],
  ['', 'USAGE', /"" is no source: expected s3:\/\/bucket\/prefix/],
  ['s3://', 'USAGE', /is no source/],
  ['s3:bucket/x', 'USAGE', /is no source/],
  ['https://example.org/x', 'USAGE', /is no source/],
  ['gs://bucket/x', 'USAGE', /is no source/],
  ['file://elsewhere/x', 'USAGE', /is no source/],
  ['manifest:', 'USAGE', /is no source/],
  ['manifest:no/such.manifest', 'SOURCE', /Cannot read the manifest no\/such.manifest: ENOENT/],
] as const) {
  test(`the source "${uri}" gets a clear answer`, () => rejectsAs(openSource(uri, options()), code, message));
}

test('a source id for S3 is refused', async () => {
  for (const uri of ['s3://b/x', 'manifest:x']) {
    await rejectsAs(openSource(uri, options({ sourceId: 'x' })), 'USAGE', /--source-id is for folders/);
  }
});

async function oneFile(t: Parameters<typeof tempFolder>[0], content: string) {
  const root = await tempFolder(t);
  await writeFiles(root, { 'a.md': content });
  const source = await openSource(root, options());
  const [object] = await collect(source);
  return { source, path: join(root, 'a.md'), object: object as SourceObject };
}

test('a file that changed since it was listed is opened in its new version', async (t) => {
  const { source, path, object } = await oneFile(t, 'old');
  await writeFile(path, 'newer');
  const opened = await source.open(object);
  assert.equal(opened.contentType, undefined);
  assert.equal(opened.object.size, 5);
  assert.notEqual(opened.object.version, object.version);
  assert.equal((await readAll(opened)).toString(), 'newer');
  assert.deepEqual(opened.object, (await collect(source))[0]);
});

for (const [how, change] of [
  ['grows', (path: string) => appendFile(path, 'more')],
  ['is cut off', (path: string) => truncate(path, 300_000)],
] as const) {
  test(`a file that ${how} while it is read is an error, not a mixture`, async (t) => {
    const { source, path, object } = await oneFile(t, 'x'.repeat(600_000));
    const chunks = (await source.open(object)).body[Symbol.asyncIterator]();
    await chunks.next();
    await change(path);
    const rest = async (): Promise<void> => {
      while ((await chunks.next()).done !== true);
    };
    await rejectsAs(rest(), 'OBJECT_UNREADABLE', /a\.md changed while it was being read: run again/);
  });
}

test('a file that is replaced while it is read is read as it was opened', async (t) => {
  const { source, path, object } = await oneFile(t, 'x'.repeat(600_000));
  const opened = await source.open(object);
  await writeFile(`${path}.new`, 'y');
  await rename(`${path}.new`, path);
  const bytes = await readAll(opened);
  assert.equal(bytes.byteLength, 600_000);
  assert.ok(bytes.every((byte) => byte === 'x'.charCodeAt(0)));
});

test('files that are gone, denied or no files have codes of their own', async (t) => {
  const { source, path, object } = await oneFile(t, 'x');
  await chmod(path, 0);
  await unprivileged(join(path, '..'), () =>
    rejectsAs(source.open(object), 'OBJECT_DENIED', /Cannot read \S+a\.md: EACCES/),
  );
  await unlink(path);
  await rejectsAs(source.open(object), 'OBJECT_GONE', /Cannot read \S+a\.md: ENOENT/);
  await writeFiles(path, { 'inside.md': '' });
  await rejectsAs(source.open(object), 'OBJECT_UNREADABLE', /it is no file/);
});

test('a folder that could not be listed says why when it is opened', async (t) => {
  const root = await tempFolder(t);
  await writeFiles(root, { 'private/x.md': 'x' });
  await chmod(join(root, 'private'), 0);
  await unprivileged(root, async () => {
    const source = await openSource(root, options());
    const [object] = await collect(source);
    await rejectsAs(
      source.open(object as SourceObject),
      'OBJECT_DENIED',
      /Cannot read \S+private\/?: EACCES/,
    );
  });
});

test('reading stops with the reason of the signal', async (t) => {
  const { source, object } = await oneFile(t, 'x'.repeat(600_000));
  const controller = new AbortController();
  const chunks = (await source.open(object, { signal: controller.signal })).body[Symbol.asyncIterator]();
  await chunks.next();
  const reason = new Error('enough');
  controller.abort(reason);
  await assert.rejects(chunks.next(), reason);
  await assert.rejects(source.open(object, { signal: controller.signal }), reason);
});

test('an empty file has an empty body', async (t) => {
  const { source, object } = await oneFile(t, '');
  assert.equal((await readAll(await source.open(object))).byteLength, 0);
});
