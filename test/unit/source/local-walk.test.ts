import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import type { FolderOptions } from '#embatch/source/local-folder.js';
import { walk } from '#embatch/source/local-walk.js';
import { recordingLogger, type RecordingLogger } from '../../support/recording-logger.js';
import { collect, collectKeys } from '../../support/sources.js';
import { tempFolder, writeFiles } from '../../support/temp-folder.js';
import { unprivileged } from '../../support/unprivileged.js';

const posixOnly = process.platform === 'win32' ? 'Windows has no such thing' : false;

/** A folder to walk, and its walk as something to collect from. */
function walking(
  root: string,
  options: Partial<FolderOptions> = {},
): { list: () => ReturnType<typeof walk>; log: RecordingLogger } {
  const log = recordingLogger();
  return { log, list: () => walk(root, { log, ...options }) };
}

async function folderOf(t: TestContext, keys: readonly string[]): Promise<string> {
  const root = await tempFolder(t);
  await writeFiles(root, Object.fromEntries(keys.map((key) => [key, key])));
  return root;
}

const oddKeys = [
  'a',
  'a b/c d',
  'a!/x',
  'a-b',
  'a-b.d/x',
  'a.txt',
  'a.d/b',
  'a.d/b.d/c',
  'a.d/b-d',
  'a0',
  'a0.d/x',
  'B/b',
  'caf\u00e9.txt',
  'cafe\u0301.txt',
  'cafe/x',
  'new\nline',
  'percent%20.md',
  'tab\there',
  '\uff21.txt',
  '😀.txt',
  '😀/😁.md',
  '\ufffd.txt',
  'quote\'"\\.txt',
];

test('keys come ascending by the UTF-8 bytes of the whole key', { skip: posixOnly }, async (t) => {
  const keys = await collectKeys(walking(await folderOf(t, oddKeys)));
  const expected = [...oddKeys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual(keys, expected);
});

test('any tree comes in that order', async (t) => {
  let state = 7;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  // Names that sort around the slash; a folder's name has a letter that no file's name ends with.
  const pieces = ['a', '!', '-', '0', 'é', '😀', '\uff21', 'b-'];
  const name = (): string =>
    Array.from({ length: 1 + below(3) }, () => pieces[below(pieces.length)]).join('');
  const keys = Array.from({ length: 300 }, () => {
    const folders = Array.from({ length: below(4) }, () => `${name()}d`);
    return [...folders, `${name()}f`].join('/');
  });
  const listed = await collectKeys(walking(await folderOf(t, keys)));
  const expected = [...new Set(keys)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual(listed, expected);
});

const hiddenTree = [
  '.env',
  '.git/config',
  '.github/ci.yml',
  'a.md',
  'node_modules/p/README.md',
  'x/.cache/y',
  'x/b.md',
];

for (const [described, options, expected] of [
  ['hidden names and node_modules are left out', {}, ['a.md', 'x/b.md']],
  ['hidden takes them', { hidden: true }, hiddenTree],
  [
    'a name that was asked for is taken',
    { named: (name: string) => name === '.github' },
    ['.github/ci.yml', 'a.md', 'x/b.md'],
  ],
] as const) {
  test(described, async (t) => {
    assert.deepEqual(await collectKeys(walking(await folderOf(t, hiddenTree), options)), expected);
  });
}

test('what was left out is told once', async (t) => {
  const folder = walking(await folderOf(t, hiddenTree));
  await collectKeys(folder);
  assert.equal(folder.log.lines.length, 1);
  assert.match(folder.log.lines[0] ?? '', /^info Left out 5 hidden names/);
});

test('a root that is itself hidden is walked', async (t) => {
  const root = await folderOf(t, ['node_modules/.bin/a', 'node_modules/p/b']);
  assert.deepEqual(await collectKeys(walking(join(root, 'node_modules'))), ['p/b']);
});

test('paths of sink and state are left out, hidden or not, through links and before they exist', async (t) => {
  const root = await folderOf(t, ['a.md', 'state.json', 'vectors/x', 'x/vectors/y']);
  await symlink(root, `${root}-link`);
  t.after(() => unlink(`${root}-link`));
  const leaveOut = [join(`${root}-link`, 'vectors'), join(root, 'state.json'), join(root, 'not/yet')];
  const listed = await collectKeys(walking(root, { leaveOut, hidden: true }));
  assert.deepEqual(listed, ['a.md', 'x/vectors/y']);
  await writeFiles(root, { 'not/yet/there': '' });
  assert.deepEqual(await collectKeys(walking(root, { leaveOut })), ['a.md', 'x/vectors/y']);
});

async function folderWithLinks(t: TestContext): Promise<string> {
  const root = await folderOf(t, ['d/f.md', 'd/sub/g.md', 'z.md']);
  await symlink('z.md', join(root, 'link.md'));
  await symlink('d', join(root, 'e'));
  await symlink('..', join(root, 'd/sub/up'));
  await symlink('nowhere', join(root, 'broken'));
  return root;
}

test('links are not followed, and that is told', { skip: posixOnly }, async (t) => {
  const folder = walking(await folderWithLinks(t));
  assert.deepEqual(await collectKeys(folder), ['d/f.md', 'd/sub/g.md', 'z.md']);
  assert.match(folder.log.lines.join(), /4 links \(--follow-links follows them\)/);
});

test('followed links end where they lead back', { skip: posixOnly }, async (t) => {
  const folder = walking(await folderWithLinks(t), { followLinks: true });
  const expected = ['d/f.md', 'd/sub/g.md', 'e/f.md', 'e/sub/g.md', 'link.md', 'z.md'];
  assert.deepEqual(await collectKeys(folder), expected);
  const warnings = folder.log.lines.join('\n');
  assert.match(warnings, /the link \S+\/d\/sub\/up: it leads back to a folder above it/);
  assert.match(warnings, /the link \S+\/broken: it leads nowhere/);
});

test('a link to a folder above the root is a loop, too', { skip: posixOnly }, async (t) => {
  const root = await folderOf(t, ['outside.md', 'docs/a.md']);
  await symlink('..', join(root, 'docs/up'));
  assert.deepEqual(await collectKeys(walking(join(root, 'docs'), { followLinks: true })), ['a.md']);
});

test('a followed link sorts as the folder that it is', { skip: posixOnly }, async (t) => {
  const root = await folderOf(t, ['d/x', 'a-b', 'a.txt', 'a0']);
  await symlink('d', join(root, 'a'));
  const keys = await collectKeys(walking(root, { followLinks: true }));
  assert.deepEqual(keys, ['a-b', 'a.txt', 'a/x', 'a0', 'd/x']);
});

test('a link to the sink is not a way around', { skip: posixOnly }, async (t) => {
  const root = await folderOf(t, ['a.md', 'vectors/x']);
  await symlink('vectors', join(root, 'b'));
  await symlink('vectors/x', join(root, 'c'));
  const options = { followLinks: true, leaveOut: [join(root, 'vectors')] };
  assert.deepEqual(await collectKeys(walking(root, options)), ['a.md']);
});

test('size and modification time, to the nanosecond, make the version', async (t) => {
  const root = await folderOf(t, ['a.md']);
  await utimes(join(root, 'a.md'), 1_700_000_000, 1_700_000_000.5);
  assert.deepEqual(await collect(walking(root)), [
    { key: 'a.md', size: 4, version: '4-1700000000500000000', lastModified: '2023-11-14T22:13:20.500Z' },
  ]);
});

test('a name that is not UTF-8 is reported and skipped, not mangled', { skip: posixOnly }, async (t) => {
  const root = await folderOf(t, ['a', 'z']);
  try {
    await writeFile(Buffer.concat([Buffer.from(`${root}/caf`), Buffer.of(0xe9)]), 'x');
    await mkdir(Buffer.concat([Buffer.from(`${root}/d`), Buffer.of(0xff)]));
  } catch {
    t.skip('this file system takes no such name');
    return;
  }
  const folder = walking(root);
  const objects = await collect(folder);
  assert.deepEqual(
    objects.map(({ key, skip }) => [key, skip]),
    [
      ['a', undefined],
      ['caf%E9', 'name not UTF-8'],
      ['d%FF/', 'name not UTF-8'],
      ['z', undefined],
    ],
  );
  assert.match(folder.log.lines.join(), /Left out caf%E9: its name is not valid UTF-8/);
});

test('a pipe or a socket is no document', { skip: posixOnly }, async (t) => {
  const root = await folderOf(t, ['a']);
  assert.equal(spawnSync('mkfifo', [join(root, 'pipe')]).status, 0);
  const folder = walking(root);
  assert.deepEqual(await collectKeys(folder), ['a']);
  assert.match(folder.log.lines.join(), /1 special files/);
});

test(
  'a folder without permission is listed as an object of unknown size, in its place',
  { skip: posixOnly },
  async (t) => {
    const root = await folderOf(t, ['a', 'private/x', 'private-not', 'z']);
    await chmod(join(root, 'private'), 0);
    const folder = walking(root);
    const objects = await unprivileged(root, () => collect(folder));
    assert.deepEqual(
      objects.map(({ key, size }) => [key, size]),
      [
        ['a', 1],
        ['private-not', 11],
        ['private/', -1],
        ['z', 1],
      ],
    );
    assert.match(folder.log.lines.join(), /warn Cannot read private\/: EACCES/);
  },
);

test('a root that cannot be listed is an error of the source', { skip: posixOnly }, async (t) => {
  const root = await folderOf(t, ['private/x']);
  await chmod(join(root, 'private'), 0);
  await unprivileged(root, () =>
    assert.rejects(
      collect(walking(join(root, 'private'))),
      (error) =>
        isEmbatchError(error, 'SOURCE') && /Cannot list the folder .*private: EACCES/.test(error.message),
    ),
  );
});

test('a walk stops with the reason of its signal', async (t) => {
  const controller = new AbortController();
  const objects = walk(await folderOf(t, ['a', 'b/c']), {
    log: recordingLogger(),
    signal: controller.signal,
  });
  await objects.next();
  const reason = new Error('enough');
  controller.abort(reason);
  await assert.rejects(objects.next(), reason);
});

test('a file that vanishes while the folder is walked is left out', async (t) => {
  const root = await folderOf(t, ['a', 'b/c', 'd']);
  const objects = walk(root, { log: recordingLogger() });
  assert.equal((await objects.next()).value?.key, 'a');
  await unlink(join(root, 'd'));
  const rest: string[] = [];
  for await (const { key } of objects) rest.push(key);
  assert.deepEqual(rest, ['b/c']);
});
