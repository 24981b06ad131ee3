import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveOptions } from '#embatch/cli/resolve-options.js';
import { nameFleet, type FleetDraft } from '#embatch/job/fleet/prepare-fleet.js';
import { LocalEngine } from '#embatch/engines/local/engine.js';
import { recordingLogger } from '../../../support/recording-logger.js';

/** An engine that carries short values only. */
class Narrow extends LocalEngine {
  override refusesValue(value: string): string | undefined {
    return value.length > 40 ? 'longer than 40 characters' : undefined;
  }
}

const engine = new Narrow({
  command: ['embatch'],
  logs: 'logs',
  retries: 0,
  workersOf: () => 1,
  environment: {},
  log: recordingLogger(),
});

const draft = (variables: Readonly<Record<string, string>>, state = 's3://b/state'): FleetDraft => ({
  source: 's3://b/docs',
  sink: 'opensearch://h:9200/docs',
  sinkUri: 'opensearch://h:9200/docs',
  state,
  shards: 2,
  variables,
});

const long = 'Represent this passage for retrieval, with care: ';

test('values that the engine does not carry go into a job file, and mean the same there', () => {
  const globs = JSON.stringify(['a/very/long/folder/**/*.md', 'another/very/long/folder/**/*.md']);
  const variables = {
    EMBATCH_SOURCE: 's3://b/docs',
    EMBATCH_DOCUMENT_PROMPT: long,
    EMBATCH_INCLUDE: globs,
    EMBATCH_SHARDS: '2',
  };
  const { fleet, jobFile } = nameFleet(engine, draft(variables), 'job-a1');
  assert.deepEqual(fleet.environment, {
    EMBATCH_SOURCE: 's3://b/docs',
    EMBATCH_SHARDS: '2',
    EMBATCH_CONFIG: 's3://b/state/job-files/job-a1.json',
  });
  const file = JSON.parse(jobFile?.text ?? '') as Record<string, unknown>;
  const { options } = resolveOptions('run', { flags: {}, environment: {}, file });
  assert.equal(options.documentPrompt, long);
  assert.deepEqual(options.include, ['a/very/long/folder/**/*.md', 'another/very/long/folder/**/*.md']);
});

test('what an engine carries needs no job file', () => {
  const { fleet, jobFile } = nameFleet(engine, draft({ EMBATCH_SHARDS: '2' }), 'job-a1');
  assert.deepEqual([fleet.environment, jobFile], [{ EMBATCH_SHARDS: '2' }, undefined]);
});

for (const [what, variables, state] of [
  ['a variable of others that is too long', { AWS_ENDPOINT_URL: `https://${long}` }, undefined],
  ['a state whose own name is too long', { EMBATCH_DOCUMENT_PROMPT: long }, `s3://b/${'x'.repeat(40)}`],
] as const) {
  test(`${what} is refused before anything is started`, () => {
    assert.throws(() => nameFleet(engine, draft(variables, state), 'job-a1'), {
      code: 'USAGE',
      message: /cannot be given to local: its value is longer than 40 characters/,
    });
  });
}
