/** What the pages about engines show as sent is what `--print` prints for their own example. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { projectRoot } from '../support/paths.js';
import { runCli } from '../support/run-cli.js';

interface Page {
  /** Words of the first `embatch submit …` of the page. */
  readonly command: readonly string[];
  readonly bodies: readonly unknown[];
}

async function readPage(name: string): Promise<Page> {
  const text = await readFile(join(projectRoot, 'docs', name), 'utf8');
  const block = /```sh\n[^]*?(embatch submit [^]*?)```/.exec(text)?.[1] ?? '';
  const words = block.replaceAll(/\\\n/g, ' ').replaceAll("'", '').trim().split(/\s+/);
  const bodies = [...text.matchAll(/```json\n([^]*?)```/g)].map(
    ([, json = '']) => JSON.parse(json) as unknown,
  );
  return { command: words.slice(1).filter((word) => word !== '--wait'), bodies };
}

/** Knows of nothing: no job, no object. */
async function emptyServer(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function printed(page: Page, env: Record<string, string>): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await runCli([...page.command, '--print', '--json'], { env });
  assert.equal(code, 0, stderr);
  return (JSON.parse(stdout) as { body: Record<string, unknown> }[]).map(({ body }) => body);
}

const isList = (url: string | undefined): boolean => url?.includes('list-type=2') === true;
const emptyList = '<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>';
const credentials = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };
/** Passed on to the shards, and here only because of this test's own server. */
const OWN = 'AWS_ENDPOINT_URL_S3';

test('the page about Ray shows the first job', async (t) => {
  const page = await readPage('submit-ray.md');
  const address = await emptyServer(t, ({ url }, response) => {
    if (isList(url)) response.end(emptyList);
    else response.writeHead(404).end(`Job ${url?.split('/').at(-1) ?? ''} does not exist`);
  });
  const bodies = await printed(page, { RAY_API_SERVER_ADDRESS: address, [OWN]: address, ...credentials });
  assert.equal(bodies.length, 8);
  const { env_vars } = bodies[0]?.['runtime_env'] as { env_vars: Record<string, string> };
  const { [OWN]: _, ...others } = env_vars;
  assert.deepEqual([{ ...bodies[0], runtime_env: { env_vars: others } }], page.bodies);
});

test('the page about AWS Batch shows both requests', async (t) => {
  const page = await readPage('submit-aws-batch.md');
  const address = await emptyServer(t, ({ url }, response) => response.end(isList(url) ? emptyList : '{}'));
  const [register, submit] = await printed(page, {
    AWS_ENDPOINT_URL_BATCH: address,
    AWS_REGION: 'eu-central-1',
    [OWN]: address,
    ...credentials,
  });
  const overrides = submit?.['containerOverrides'] as { environment: { name: string }[] };
  const environment = overrides.environment.filter(({ name }) => name !== OWN);
  assert.deepEqual([register, { ...submit, containerOverrides: { ...overrides, environment } }], page.bodies);
});
