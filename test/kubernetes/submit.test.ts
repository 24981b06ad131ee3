/** What is sent to a real API server, and what is refused before anything is started. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import type { Options } from '#embatch/core/options.js';
import { duringTests } from '../support/during-tests.js';
import { storedSchemas, trimmed, type Schemas } from '../support/kubernetes-schema.js';
import { projectRoot } from '../support/paths.js';
import { skipWithoutKubernetes } from '../support/services.js';
import { tempFolder } from '../support/temp-folder.js';
import { connectToTestCluster } from './support/cluster.js';
import { engineWith, fleetOf, refOf } from './support/fleets.js';

const namespace = 'submit';

const lab = duringTests(
  skipWithoutKubernetes,
  async () => {
    const cluster = connectToTestCluster();
    await cluster.createNamespace(namespace);
    return cluster;
  },
  () => undefined,
);

const engine = (given: Partial<Options> = {}, file = lab.file) => engineWith(file, { namespace, ...given });

const everything = {
  cpu: '500m',
  memory: '2GiB',
  serviceAccount: 'default',
  secrets: ['opensearch', 'other.secret'],
  parallelism: 2,
  retries: 0,
  timeout: 90_500,
} satisfies Partial<Options>;

describe('what is sent', { skip: skipWithoutKubernetes }, () => {
  const cases: readonly (readonly [string, Partial<Options>, number])[] = [
    ['the least', {}, 1],
    ['everything', everything, 5],
    ['a schedule', { schedule: '0 3 * * mon-fri' }, 3],
    ['a schedule with everything', { schedule: '@every 1h30m', ...everything }, 5],
  ];
  for (const [index, [what, given, shards]] of cases.entries()) {
    test(`${what}: passes a strict dry run as it is printed, and is stored as such`, async () => {
      const kubernetes = await engine(given);
      const fleet = fleetOf(`sent-${index}`, shards, { EMBATCH_SOURCE: 's3://bucket/$(docs)' });
      const [request] = kubernetes.requests(fleet);
      const kind = given.schedule === undefined ? 'jobs' : 'cronjobs';
      const path = `/apis/batch/v1/namespaces/${namespace}/${kind}`;
      const answer = await lab.post(`${path}?dryRun=All&fieldValidation=Strict`, request?.body);
      assert.equal(answer.status, 201, answer.body);

      await kubernetes.submit(fleet);
      const stored =
        kind === 'jobs'
          ? await lab.batch.readNamespacedJob({ namespace, name: fleet.name })
          : await lab.batch.readNamespacedCronJob({ namespace, name: fleet.name });
      // Through JSON: the client's classes are no part of what is compared.
      assertContains(JSON.parse(JSON.stringify(stored)), request?.body);
      await kubernetes.stop(refOf(fleet));
    });
  }

  test('as many shards as there can be pass the dry run, and one more does not', async () => {
    const [request] = (await engine()).requests(fleetOf('many', 100_000));
    const path = `/apis/batch/v1/namespaces/${namespace}/jobs?dryRun=All&fieldValidation=Strict`;
    const answer = await lab.post(path, request?.body);
    assert.equal(answer.status, 201, answer.body);
    const { spec, ...rest } = request?.body as { spec: object };
    const refused = await lab.post(path, {
      ...rest,
      spec: { ...spec, completions: 100_001, parallelism: 100_001 },
    });
    assert.equal(refused.status, 422);
    assert.match(refused.body, /must be less than or equal to 100000/);
  });

  test('the objects of examples/kubernetes/setup.yaml pass it too', async () => {
    const file = await readFile(join(projectRoot, 'examples/kubernetes/setup.yaml'), 'utf8');
    const objects = parseAllDocuments(file).map((document) => document.toJS() as SetupObject);
    for (const object of objects) {
      const { apiVersion, kind } = object;
      const group = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
      const place = kind === 'Namespace' ? '' : `namespaces/${namespace}/`;
      const moved =
        kind === 'Namespace' ? object : { ...object, metadata: { ...object.metadata, namespace } };
      const path = `${group}/${place}${kind.toLowerCase()}s?dryRun=All&fieldValidation=Strict`;
      const answer = await lab.post(path, moved);
      assert.equal(answer.status, 201, `${kind}: ${answer.body}`);
    }
    assert.deepEqual(
      objects.map(({ kind }) => kind),
      ['Namespace', 'ServiceAccount', 'Secret', 'Role', 'RoleBinding'],
    );
  });

  test('the types that quick checks look at are those of this API server', async () => {
    const answer = await lab.get('/openapi/v3/apis/batch/v1');
    const { components } = JSON.parse(answer.body) as { components: { schemas: Schemas } };
    assert.deepEqual(trimmed(components.schemas), await storedSchemas());
  });

  test('the strict dry run refuses a field that does not exist', async () => {
    const [request] = (await engine()).requests(fleetOf('typo', 1));
    const path = `/apis/batch/v1/namespaces/${namespace}/jobs?dryRun=All&fieldValidation=Strict`;
    const answer = await lab.post(path, { ...request?.body, spek: 1 });
    assert.equal(answer.status, 400);
    assert.match(answer.body, /strict decoding error: unknown field \\"spek\\"/);
  });

  test('a Job that is made of a CronJob is found, followed and stopped by the name of the fleet', async () => {
    const kubernetes = await engine({ schedule: '0 3 1 1 *' });
    const fleet = fleetOf('nightly', 2);
    const handle = await kubernetes.submit(fleet);
    const ref = { ...refOf(fleet), handle };
    assert.deepEqual(await kubernetes.state(ref), {
      phase: 'waiting',
      reason: 'scheduled "0 3 1 1 *" UTC, not started yet',
      shards: [],
    });

    // As the CronJob controller and `kubectl create job --from` do it.
    const { spec } = await lab.batch.readNamespacedCronJob({ namespace, name: fleet.name });
    const template = spec?.jobTemplate;
    await lab.batch.createNamespacedJob({
      namespace,
      body: {
        metadata: { ...template?.metadata, name: 'nightly-29384020' },
        spec: { ...template?.spec } as never,
      },
    });
    // Another engine, of another command, finds it by what the first one answered.
    const later = await engineWith(lab.file, { namespace: 'elsewhere' });
    assert.equal((await later.state(ref))?.phase, 'waiting');
    await later.stop(ref);
    const job = await lab.batch.readNamespacedJob({ namespace, name: 'nightly-29384020' });
    assert.equal(job.spec?.suspend, true);
    const cronJob = await lab.batch.readNamespacedCronJob({ namespace, name: fleet.name });
    assert.equal(cronJob.spec?.suspend, true);
  });

  test('a fleet that is not there has no state, and stopping it is no error', async () => {
    const kubernetes = await engine();
    assert.equal(await kubernetes.state(refOf(fleetOf('nobody', 1))), undefined);
    await kubernetes.stop(refOf(fleetOf('nobody', 1)));
  });
});

describe('what is refused', { skip: skipWithoutKubernetes }, () => {
  test('a second submit of the same name', async () => {
    const kubernetes = await engine();
    await kubernetes.submit(fleetOf('twice', 1));
    const before = await lab.batch.readNamespacedJob({ namespace, name: 'twice' });
    await assert.rejects(kubernetes.submit(fleetOf('twice', 2)), {
      code: 'USAGE',
      message:
        /^a Job twice is there already in namespace submit of https:\/\/127\.0\.0\.1:\d+; nothing was submitted\. .*kubectl delete job twice --namespace submit/,
    });
    const after = await lab.batch.readNamespacedJob({ namespace, name: 'twice' });
    assert.deepEqual([after.metadata?.uid, after.spec?.completions], [before.metadata?.uid, 1]);
    await kubernetes.stop(refOf(fleetOf('twice', 1)));
  });

  test('a namespace and a service account that are not there', async () => {
    await assert.rejects((await engine({ namespace: 'nowhere' })).submit(fleetOf('lost', 1)), {
      code: 'USAGE',
      message: /^cannot submit Job lost in namespace nowhere: namespaces "nowhere" not found\.$/,
    });
    await assert.rejects((await engine({ serviceAccount: 'nobody' })).submit(fleetOf('lost', 1)), {
      code: 'USAGE',
      message: /^--service-account nobody: there is none of this name in namespace submit;/,
    });
    assert.equal(await (await engine()).state(refOf(fleetOf('lost', 1))), undefined);
  });

  test('a user without the right to create Jobs, naming the right; nothing is started', async (t) => {
    const folder = await tempFolder(t);
    const rights = [{ apiGroups: ['batch'], resources: ['jobs'], verbs: ['get', 'list'] }];
    const file = await lab.userWith(rights, { namespace, name: 'reader', folder });
    await assert.rejects((await engine({}, file)).submit(fleetOf('forbidden', 1)), {
      code: 'USAGE',
      message:
        /^cannot submit Job forbidden in namespace submit: the right to create jobs\.batch is missing; grant the verb "create" on "jobs\.batch" to this user \(.*User "system:serviceaccount:submit:reader" cannot create/,
    });
    assert.equal(await (await engine()).state(refOf(fleetOf('forbidden', 1))), undefined);
  });

  test('with --wait a user who may create Jobs but not read them; nothing is started', async (t) => {
    const folder = await tempFolder(t);
    const rights = [{ apiGroups: ['batch'], resources: ['jobs'], verbs: ['create'] }];
    const file = await lab.userWith(rights, { namespace, name: 'creator', folder });
    await assert.rejects((await engine({ wait: true }, file)).submit(fleetOf('unseen', 1)), {
      code: 'USAGE',
      message: /the right to get jobs\.batch is missing/,
    });
    assert.equal(await (await engine()).state(refOf(fleetOf('unseen', 1))), undefined);
    await (await engine({}, file)).submit(fleetOf('unseen', 1));
    await (await engine()).stop(refOf(fleetOf('unseen', 1)));
  });

  test('credentials that the cluster does not know', async (t) => {
    const folder = await tempFolder(t);
    const file = await lab.userWith([], { namespace, name: 'stranger', folder });
    await lab.core.deleteNamespacedServiceAccount({ namespace, name: 'stranger' });
    await assert.rejects((await engine({}, file)).submit(fleetOf('strange', 1)), {
      code: 'USAGE',
      message: /the credentials of the kubeconfig are refused \(401 Unauthorized\)/,
    });
  });

  test('a user who may not list pods still sees how the Job stands', async (t) => {
    const folder = await tempFolder(t);
    const rights = [{ apiGroups: ['batch'], resources: ['jobs'], verbs: ['create', 'get', 'patch'] }];
    const file = await lab.userWith(rights, { namespace, name: 'podless', folder });
    const kubernetes = await engine({}, file);
    await kubernetes.submit(fleetOf('podless', 1));
    assert.deepEqual(await kubernetes.state(refOf(fleetOf('podless', 1))), {
      phase: 'waiting',
      reason: undefined,
      shards: [],
    });
    await kubernetes.stop(refOf(fleetOf('podless', 1)));
  });
});

interface SetupObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: object;
}

/** Everything of `wanted` is in `found`; the API server adds defaults. */
function assertContains(found: unknown, wanted: unknown, path = ''): void {
  if (typeof wanted !== 'object' || wanted === null) {
    assert.deepEqual(found, wanted, path);
    return;
  }
  for (const [key, value] of Object.entries(wanted)) {
    assertContains((found as Record<string, unknown> | undefined)?.[key], value, `${path}.${key}`);
  }
}
