import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isEmbatchError } from '#embatch/core/errors.js';
import type { SourceObject } from '#embatch/core/interfaces.js';
import { compileFilter, filterSource, namesHidden, type GlobbedSource } from '#embatch/source/filter.js';
import { collectKeys } from '../../support/sources.js';
import { recordingLogger } from '../../support/recording-logger.js';

for (const [glob, matched, unmatched] of [
  ['*.md', ['a.md', 'x/y/a.md', '.md', 'a\nb.md', 'x\n/a.md', 'n.md/inside.txt'], ['a.mdx', 'a.md.gz']],
  ['docs/*.md', ['docs/a.md'], ['docs/x/a.md', 'x/docs/a.md', 'a.md']],
  ['docs/**/*.md', ['docs/a.md', 'docs/x/y/a.md'], ['a.md']],
  ['docs/**', ['docs/a', 'docs/.x/a', 'docs/a\n\nb', 'docs/../a', 'docs//a'], ['docs-old/a', 'x/docs/a']],
  ['drafts', ['drafts', 'drafts/a', 'x/drafts/y/z'], ['drafts-2/a', 'mydrafts']],
  ['drafts/', ['drafts/a', 'x/drafts/y/z'], ['drafts', 'x/drafts']],
  ['/README.md', ['README.md'], ['x/README.md']],
  ['./README.md', ['README.md'], ['x/README.md']],
  ['*.{md,txt}', ['a.md', 'x/a.txt'], ['a.html']],
  ['!a.md', ['!a.md'], ['a.md', 'b']],
  ['!docs/a.md', ['!docs/a.md'], ['docs/a.md', 'b']],
  ['[a-c].md', ['x/b.md'], ['d.md']],
  ['**', ['a', '.a/.b', 'a/../b', '/a', 'a\nb', 'é/😀'], []],
  ['\\[id\\].md', ['[id].md'], ['i.md']],
] as const) {
  test(`--include and --exclude "${glob}"`, () => {
    const include = compileFilter({ include: [glob] });
    const exclude = compileFilter({ exclude: [glob] });
    for (const key of [...matched, ...unmatched]) {
      const expected = (matched as readonly string[]).includes(key);
      assert.equal(include.takes(key, ''), expected, JSON.stringify(key));
      assert.equal(exclude.takes(key, ''), !expected, JSON.stringify(key));
    }
  });
}

test('globs match the whole key of an S3 object and also what follows the folder of the prefix', () => {
  for (const glob of ['en/*.md', 'docs/en/*.md']) {
    assert.ok(compileFilter({ include: [glob] }).takes('docs/en/a.md', 'docs/'), glob);
    assert.ok(!compileFilter({ exclude: [glob] }).takes('docs/en/a.md', 'docs/'), glob);
  }
  assert.ok(!compileFilter({ include: ['en/*.md'] }).takes('docs/en/a.md', ''));
});

test('exclude has the last word', () => {
  const { takes } = compileFilter({ include: ['*.md'], exclude: ['drafts/'] });
  assert.deepEqual(
    ['a.md', 'drafts/a.md', 'a.txt'].filter((key) => takes(key, '')),
    ['a.md'],
  );
});

for (const [options, message] of [
  [{ include: ['[a'] }, /--include "\[a" is not a valid glob: Missing closing/],
  [{ exclude: ['{a,b'] }, /--exclude "\{a,b" is not a valid glob/],
  [{ exclude: [''] }, /--exclude "" matches nothing/],
  [{ include: ['/'] }, /--include "\/" matches nothing/],
  [{ limit: 0 }, /--limit must be a whole number above 0, not 0/],
  [{ limit: 1.5 }, /--limit must be/],
] as const) {
  test(`${JSON.stringify(options)} is refused`, () => {
    assert.throws(
      () => compileFilter(options),
      (error) => isEmbatchError(error, 'USAGE') && message.test(error.message),
    );
  });
}

for (const [include, named, unnamed] of [
  [['.github/**'], ['.github'], ['.git', '.env', 'node_modules']],
  [['docs/.well-known/*.txt', '.env*'], ['.well-known', '.env', '.env.local'], ['.git']],
  [['node_modules/*/README.md'], ['node_modules'], ['.git']],
  [['./docs/**', '../x', '*'], [], ['.git', '.', '..']],
] as const) {
  test(`--include ${include.join(' ')} names ${named.join(', ') || 'nothing hidden'}`, () => {
    const isNamed = namesHidden(include);
    assert.deepEqual([...named, ...unnamed].filter(isNamed), named);
  });
}

function sourceOf(keys: readonly string[]): GlobbedSource & { readonly listed: () => number } {
  let listed = 0;
  return {
    id: 's3://b',
    uri: 's3://b/',
    globBase: '',
    reaches: (key) => !key.startsWith('elsewhere/'),
    listed: () => listed,
    async *list() {
      for (const key of keys) {
        listed++;
        const object: SourceObject = { key, size: 1, version: 'v', lastModified: '2026-01-01T00:00:00.000Z' };
        yield await Promise.resolve(object);
      }
    },
    open: (object) => Promise.reject(new Error(object.key)),
    close: () => Promise.resolve(),
  };
}

test('the limit counts what the globs leave, and the listing ends there', async () => {
  const source = sourceOf(['a.txt', 'b.md', 'c.md', 'd.md', 'e.md']);
  const filtered = filterSource(source, compileFilter({ include: ['*.md'], limit: 2 }), recordingLogger());
  assert.deepEqual(await collectKeys(filtered), ['b.md', 'c.md']);
  assert.equal(source.listed(), 3);
});

test('globs that leave nothing are warned of, an empty source is not', async () => {
  const log = recordingLogger();
  const filter = compileFilter({ include: ['*.rst'] });
  assert.deepEqual(await collectKeys(filterSource(sourceOf([]), filter, log)), []);
  assert.deepEqual(log.lines, []);
  assert.deepEqual(await collectKeys(filterSource(sourceOf(['a', 'b']), filter, log)), []);
  assert.deepEqual(log.lines, ['warn None of the 2 objects of s3://b/ passes --include and --exclude.']);
});

test('a source covers what its globs take below it; without filters, all that lies below it', async () => {
  const filter = compileFilter({ include: ['*.md'], exclude: ['drafts'] });
  const base = sourceOf([]);
  const source = filterSource(
    {
      ...base,
      fateOf: (key) =>
        Promise.resolve(key.startsWith('.') ? 'there' : key.startsWith('locked/') ? 'unknown' : 'gone'),
    },
    filter,
    recordingLogger(),
  );
  for (const [key, filtered, unfiltered] of [
    ['a.md', true, true],
    ['a.txt', false, true],
    ['drafts/a.md', false, true],
    ['.hidden.md', false, true],
    ['locked/a.md', false, false],
    ['elsewhere/a.md', false, false],
  ] as const) {
    assert.equal(await source.covers(key), filtered, key);
    assert.equal(await source.covers(key, { filters: false }), unfiltered, key);
  }
});
