import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveOptions, unknownVariables, type OptionSources } from '#embatch/cli/resolve-options.js';
import { isEmbatchError } from '#embatch/core/errors.js';

const resolve = (sources: Partial<OptionSources>) =>
  resolveOptions('run', { flags: {}, environment: {}, file: undefined, ...sources });

test('a flag wins over a variable, a variable over the job file, the file over the default', () => {
  const flags = { batchTokens: '1' };
  const environment = { EMBATCH_BATCH_TOKENS: '2' };
  const file = { batchTokens: 3 };
  assert.equal(resolve({ flags, environment, file }).options.batchTokens, 1);
  assert.equal(resolve({ environment, file }).options.batchTokens, 2);
  assert.equal(resolve({ file }).options.batchTokens, 3);
  assert.equal(resolve({}).options.batchTokens, 512);
  assert.equal(resolve({ environment, file }).origins.batchTokens, 'environment');
});

for (const [name, sources, expected] of [
  ['a size', { flags: { maxDocumentBytes: '64KiB' } }, { maxDocumentBytes: 65_536 }],
  ['a size in bytes', { file: { maxDocumentBytes: 1000 } }, { maxDocumentBytes: 1000 }],
  ['a duration', { environment: { EMBATCH_SINK_PATIENCE: '5m' } }, { sinkPatience: 300_000 }],
  ['a repeated flag', { flags: { include: ['*.md', '*.txt'] } }, { include: ['*.md', '*.txt'] }],
  [
    'a list in a variable',
    { environment: { EMBATCH_INCLUDE: '*.{md,txt},*.html' } },
    { include: ['*.{md,txt}', '*.html'] },
  ],
  [
    'a JSON list in a variable',
    { environment: { EMBATCH_INCLUDE: '["a,b", "c"]' } },
    { include: ['a,b', 'c'] },
  ],
  [
    'a flag in a variable',
    { environment: { EMBATCH_RECREATE: 'true', EMBATCH_PROGRESS: '0' } },
    { recreate: true, progress: false },
  ],
  ['a number of failures', { flags: { maxFailures: '100' } }, { maxFailures: 100 }],
  ['a share of failures', { environment: { EMBATCH_MAX_FAILURES: '2.5 %' } }, { maxFailures: '2.5%' }],
  ['no failures at all', { file: { maxFailures: 0 } }, { maxFailures: 0 }],
  ['zero where it makes sense', { flags: { chunkOverlap: '0' } }, { chunkOverlap: 0 }],
] as const) {
  test(`${name} is understood`, () => {
    const { options } = resolve(sources);
    for (const [key, value] of Object.entries(expected)) assert.deepEqual(options[key as 'include'], value);
  });
}

for (const [name, sources, message] of [
  [
    'no workers',
    { flags: { workers: '0' } },
    /^--workers must be a whole number from 1 to 1024; it is "0"\.$/,
  ],
  ['a half worker', { flags: { workers: '1.5' } }, /--workers must be a whole number/],
  [
    'a size without sense',
    { environment: { EMBATCH_MAX_DOCUMENT_BYTES: 'big' } },
    /^EMBATCH_MAX_DOCUMENT_BYTES must be a size/,
  ],
  ['a duration without unit', { flags: { sinkPatience: '5' } }, /--sink-patience must be a duration/],
  [
    'an unknown choice',
    { file: { chunker: 'magic' } },
    /^chunker in the job file must be one of recursive, none; it is "magic"\.$/,
  ],
  ['an unknown key', { file: { chunkToken: 5 } }, /"chunkToken" that is no option; chunkTokens is one/],
  ['an empty text', { flags: { source: '' } }, /--source must be a text that is not empty/],
] as const) {
  test(`${name} is refused, with where it stands, what is wanted and what was given`, () => {
    assert.throws(
      () => resolve(sources),
      (error) => isEmbatchError(error, 'USAGE') && message.test(error.message),
    );
  });
}

test('an option of another command is ignored where it comes from the environment', () => {
  assert.equal(
    resolveOptions('search', { flags: {}, environment: { EMBATCH_LIMIT: '0' }, file: undefined }).options
      .limit,
    undefined,
  );
});

test('variables that look like options and are none are found', () => {
  assert.deepEqual(
    unknownVariables({ EMBATCH_BATCH_TOKEN: '1', EMBATCH_SOURCE: 'x', PATH: '/bin', EMBATCH_TEST_S3: 'x' }),
    ['EMBATCH_BATCH_TOKEN'],
  );
});
