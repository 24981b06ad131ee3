/** A quick look at every manifest where there is no API server; test/kubernetes asks a real one. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Options } from '#embatch/core/options.js';
import { manifest } from '#embatch/engines/kubernetes/manifest.js';
import { kubernetesSettings } from '#embatch/engines/kubernetes/settings.js';
import { defaultOptions } from '../../../support/default-options.js';
import { storedSchemas, violations } from '../../../support/kubernetes-schema.js';

const everything = {
  cpu: '4',
  memory: '4GiB',
  serviceAccount: 'embatch',
  secrets: ['opensearch'],
  parallelism: 2,
  timeout: 3_600_000,
} satisfies Partial<Options>;

async function wrongIn(given: Partial<Options>, change: (made: Record<string, unknown>) => unknown) {
  const fleet = {
    name: 'docs-a1',
    shards: 5,
    arguments: ['run'],
    environment: { EMBATCH_SOURCE: 's3://bucket/docs' },
    labels: { source: 's', sink: 'k', state: 't' },
  };
  const made = manifest(fleet, kubernetesSettings(defaultOptions({ image: 'r/e:1', ...given })), 'docs');
  const changed = change({ ...structuredClone(made) });
  return violations(await storedSchemas(), { $ref: `io.k8s.api.batch.v1.${made.kind}` }, changed);
}

describe('the schema of Kubernetes', () => {
  for (const given of [{}, everything, { schedule: '@daily' }, { schedule: '@daily', ...everything }]) {
    test(`takes the manifest of ${JSON.stringify(given)}`, async () => {
      assert.deepEqual(await wrongIn(given, (made) => made), []);
    });
  }

  for (const [what, given, change, wanted] of [
    ['a field that does not exist', {}, { completion: 5 }, ['$.spec.completion: is unknown']],
    ['a text for a number', {}, { completions: '5' }, ['$.spec.completions: is no whole number']],
    ['a number for a text', {}, { completionMode: 1 }, ['$.spec.completionMode: is no string']],
    [
      'an object for a list',
      {},
      { podFailurePolicy: { rules: {} } },
      ['$.spec.podFailurePolicy.rules: is no array'],
    ],
    [
      'a required field that is missing',
      {},
      { podFailurePolicy: { rules: [{}] } },
      ['$.spec.podFailurePolicy.rules[0].action: is missing'],
    ],
    [
      'a number for the value of a variable',
      {},
      { template: { spec: { containers: [{ name: 'embatch', env: [{ name: 'A', value: 1 }] }] } } },
      ['$.spec.template.spec.containers[0].env[0].value: is no string'],
    ],
    ['no schedule', { schedule: '@daily' }, { schedule: undefined }, ['$.spec.schedule: is missing']],
  ] as const) {
    test(`refuses ${what}`, async () => {
      const found = await wrongIn(given, (made) => {
        const spec = { ...(made['spec'] as object), ...change };
        // An undefined field is none once it is sent.
        return JSON.parse(JSON.stringify({ ...made, spec })) as unknown;
      });
      assert.deepEqual(found, wanted);
    });
  }
});
