import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Options } from '#embatch/core/options.js';
import { manifest, type Manifest } from '#embatch/engines/kubernetes/manifest.js';
import { kubernetesSettings } from '#embatch/engines/kubernetes/settings.js';
import type { Fleet } from '#embatch/engines/engine.js';
import { defaultOptions } from '../../../support/default-options.js';

const fleet: Fleet = {
  name: 'docs-4f1c-a1',
  shards: 5,
  arguments: ['run'],
  environment: { EMBATCH_SOURCE: 's3://bucket/docs', EMBATCH_SHARDS: '5' },
  labels: { source: 's3://bucket/docs', sink: 'opensearch://host/docs', state: 's3://bucket/state' },
};

function made(given: Partial<Options> = {}, changed: Partial<Fleet> = {}): Manifest {
  const settings = kubernetesSettings(defaultOptions({ image: 'registry/embatch:1', ...given }));
  return manifest({ ...fleet, ...changed }, settings, 'docs');
}

function jobSpec(wanted: Manifest) {
  const spec = wanted.kind === 'Job' ? wanted.spec : wanted.spec?.jobTemplate.spec;
  assert.ok(spec !== undefined);
  return spec;
}

function container(wanted: Manifest) {
  const found = jobSpec(wanted).template.spec?.containers[0];
  assert.ok(found !== undefined);
  return found;
}

describe('the manifest of a fleet', () => {
  test('has one index a shard, all at once, and each may fail as often as --retries says', () => {
    const { completionMode, completions, parallelism, backoffLimitPerIndex } = jobSpec(made({ retries: 2 }));
    assert.deepEqual([completionMode, completions, parallelism, backoffLimitPerIndex], ['Indexed', 5, 5, 2]);
  });

  test('runs at most --parallelism pods at once, and never more than there are shards', () => {
    assert.equal(jobSpec(made({ parallelism: 2 })).parallelism, 2);
    assert.equal(jobSpec(made({ parallelism: 9 })).parallelism, 5);
  });

  for (const [timeout, parallelism, seconds] of [
    [60_000, undefined, 60],
    [60_001, undefined, 61],
    [60_000, 5, 60],
    [60_000, 4, 120],
    [60_000, 1, 300],
  ] as const) {
    test(`gives ${timeout} ms a shard, ${parallelism ?? 'all'} at once, ${seconds} s for the Job`, () => {
      const spec = jobSpec(made({ timeout, parallelism }));
      assert.equal(spec.activeDeadlineSeconds, seconds);
      assert.equal(spec.template.spec?.activeDeadlineSeconds, undefined);
    });
  }

  test('tells how many shards there are, whatever the fleet says, and leaves the index to the controller', () => {
    const names = (container(made({}, { environment: {} })).env ?? []).map(({ name, value }) => [
      name,
      value,
    ]);
    assert.deepEqual(names, [['EMBATCH_SHARDS', '5']]);
    assert.equal((container(made()).env ?? []).filter(({ name }) => name === 'EMBATCH_SHARDS').length, 1);
  });

  test('writes texts so that Kubernetes replaces nothing in them', () => {
    const environment = { A: '$(B) $$ $x', EMBATCH_SHARDS: '5' };
    const { args, env } = container(made({}, { arguments: ['run', '$(A)'], environment }));
    assert.deepEqual(args, ['run', '$$(A)']);
    assert.equal(env?.find(({ name }) => name === 'A')?.value, '$$(B) $$$$ $$x');
  });

  test('asks for what it limits', () => {
    assert.deepEqual(container(made({ cpu: '4', memory: '8GiB' })).resources, {
      requests: { cpu: '4', memory: '8Gi' },
      limits: { cpu: '4', memory: '8Gi' },
    });
    assert.equal(container(made()).resources, undefined);
  });

  test('takes secrets and the service account by name', () => {
    const wanted = made({ secrets: ['opensearch', 'hub', 'opensearch'], serviceAccount: 'embatch' });
    assert.deepEqual(container(wanted).envFrom, [
      { secretRef: { name: 'opensearch' } },
      { secretRef: { name: 'hub' } },
    ]);
    assert.equal(jobSpec(wanted).template.spec?.serviceAccountName, 'embatch');
  });

  test('a failure is judged by the first rule that fits: a lost node, then our exit codes', () => {
    const rules = jobSpec(made()).podFailurePolicy?.rules.map(({ action, onExitCodes, onPodConditions }) => [
      action,
      onExitCodes?.values ?? onPodConditions?.map(({ type }) => type),
    ]);
    assert.deepEqual(rules, [
      ['Ignore', ['DisruptionTarget']],
      ['Ignore', [130, 143]],
      ['FailJob', [2, 22]],
      ['FailIndex', [20, 25]],
    ]);
    assert.equal(jobSpec(made()).podReplacementPolicy, 'Failed');
  });

  test('a schedule makes a CronJob of the same Job, in UTC, never two at once', () => {
    const wanted = made({ schedule: ' 0 3 * * * ' });
    assert.ok(wanted.kind === 'CronJob');
    const { schedule, timeZone, concurrencyPolicy } = wanted.spec ?? {};
    assert.deepEqual([schedule, timeZone, concurrencyPolicy], ['0 3 * * *', 'Etc/UTC', 'Forbid']);
    assert.deepEqual(jobSpec(wanted), jobSpec(made()));
    assert.deepEqual(wanted.spec?.jobTemplate.metadata?.labels, wanted.metadata.labels);
  });

  test('no object stands in it twice, which YAML would write as an alias', () => {
    const seen = new Set<unknown>();
    const visit = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      assert.ok(!seen.has(value), JSON.stringify(value));
      seen.add(value);
      Object.values(value).forEach(visit);
    };
    visit(made({ schedule: '@daily', cpu: '1', memory: '1GiB', secrets: ['a', 'b'] }));
  });
});
