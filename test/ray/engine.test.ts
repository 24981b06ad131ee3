/** The engine against a real Ray cluster. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { Engine, Fleet } from '#embatch/engines/engine.js';
import { createRayClient } from '#embatch/engines/ray/client.js';
import { eventually } from '../support/eventually.js';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import { rayToken, rayUrl, skipWithoutRay as skip } from '../support/services.js';
import { tempFolder, writeFiles } from '../support/temp-folder.js';
import { newFleet, openEngine, untilEnded } from './support.js';

const refOf = (fleet: Fleet) => ({ ...fleet, handle: undefined });

async function proxyTo(t: TestContext, url: string): Promise<FaultProxy> {
  const proxy = await startFaultProxy(url);
  t.after(() => proxy.close());
  return proxy;
}

/** A program that stays until it is told to end, and then does so in good order. */
async function patientProgram(t: TestContext): Promise<{ entrypoint: string; folder: string }> {
  const folder = await tempFolder(t);
  const program = `
    import { writeFileSync } from 'node:fs';
    const note = (text) => writeFileSync(\`${folder}/\${process.env.EMBATCH_SHARD}\`, text);
    process.on('SIGTERM', () => { note('SIGTERM'); process.exit(143); });
    note('up');
    setInterval(() => undefined, 1000);`;
  await writeFiles(folder, { 'patient.mjs': program });
  return { entrypoint: `${process.execPath} ${join(folder, 'patient.mjs')}`, folder };
}

async function bodiesOf(engine: Engine, fleet: Fleet): Promise<Record<string, unknown>[]> {
  // Not by fetch: what Ray takes for a browser gets variables redacted.
  const client = createRayClient({ address: rayUrl(), token: rayToken() });
  try {
    const paths = engine.requests(fleet).map(({ body }) => `/api/jobs/${String(body['submission_id'])}`);
    const answers = await Promise.all(paths.map((path) => client.get(path)));
    return answers.map(({ text }) => JSON.parse(text) as Record<string, unknown>);
  } finally {
    await client.close();
  }
}

const isSubmit = ({ method, url }: { method: string; url: string }): boolean =>
  method === 'POST' && url === '/api/jobs/';

/** Most of the time is Ray's own, while it starts jobs. */
describe('the engine on a real cluster', { concurrency: 2 }, () => {
  it('arguments and variables arrive as they are, each shard with its number', { skip }, async (t) => {
    const folder = await tempFolder(t);
    const program = `
    import { writeFileSync } from 'node:fs';
    const { env, argv } = process;
    writeFileSync(\`${folder}/\${env.EMBATCH_SHARD}.json\`, JSON.stringify({ env, argv: argv.slice(2), pid: process.ppid }));`;
    await writeFiles(folder, { 'dump.mjs': program });
    const { engine } = await openEngine(t, { entrypoint: `${process.execPath} ${join(folder, 'dump.mjs')}` });
    const environment = {
      EMBATCH_SHARDS: '2',
      EMBATCH_INCLUDE: `a "b" 'c' \\d %e\nf äöü 😀 \`g\` #h ~ *`,
      EMBATCH_EMPTY: '',
    };
    const words = ['run', `it's`, 'a b', '*', '~', '', '"q"', 'ü', '#x', ';', '$HOME', '`id`', '-n'];
    const fleet = newFleet({ environment, arguments: words });
    await engine.submit(fleet);
    const { phase, shards } = await untilEnded(engine, fleet);
    assert.deepEqual(
      [phase, shards.map(({ index, phase, exitCode }) => [index, phase, exitCode])],
      ['succeeded', [0, 1].map((index) => [index, 'succeeded', 0])],
    );
    for (const shard of ['0', '1']) {
      const { env, argv } = JSON.parse(await readFile(join(folder, `${shard}.json`), 'utf8')) as {
        env: Record<string, string>;
        argv: string[];
      };
      assert.deepEqual(argv, words);
      const wanted = { ...environment, EMBATCH_SHARD: shard, EMBATCH_WORKERS: '1' };
      assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((name) => [name, env[name]])), wanted);
    }
    const sent = engine.requests(fleet).map(({ body }) => body);
    const got = await bodiesOf(engine, fleet);
    for (const [index, body] of sent.entries()) {
      for (const field of ['submission_id', 'entrypoint', 'metadata', 'runtime_env']) {
        assert.deepEqual(got[index]?.[field], body[field], `${field} is what --print shows`);
      }
    }
  });

  it('a name in use is refused, and the fleet that has it goes on', { skip }, async (t) => {
    const { entrypoint } = await patientProgram(t);
    const { engine } = await openEngine(t, { entrypoint });
    const fleet = newFleet();
    await engine.submit(fleet);
    await assert.rejects(engine.submit(fleet), { code: 'USAGE', message: /has a job .* already/ });
    await eventually('it runs', async () => (await engine.state(refOf(fleet)))?.phase === 'running');
    await engine.stop(refOf(fleet));
    assert.equal((await untilEnded(engine, fleet)).phase, 'stopped');
  });

  it('a stop is SIGTERM, the time to drain, and no failure', { skip }, async (t) => {
    const { entrypoint, folder } = await patientProgram(t);
    const { engine } = await openEngine(t, { entrypoint });
    const fleet = newFleet();
    await engine.submit(fleet);
    const notes = () =>
      Promise.all(['0', '1'].map((name) => readFile(join(folder, name), 'utf8').catch(() => '')));
    await eventually('both run', async () => (await notes()).every((note) => note === 'up'));
    await engine.stop(refOf(fleet));
    const { phase, shards } = await untilEnded(engine, fleet);
    assert.deepEqual([phase, ...shards.map((shard) => shard.phase)], ['stopped', 'stopped', 'stopped']);
    assert.deepEqual(await notes(), ['SIGTERM', 'SIGTERM']);
    await engine.stop(refOf(fleet));
  });

  it('a job that waits for CPUs is stopped without waiting for it', { skip }, async (t) => {
    const { engine, log } = await openEngine(t, { cpu: '64' });
    const fleet = newFleet({ shards: 1 });
    await engine.submit(fleet);
    assert.equal((await engine.state(refOf(fleet)))?.phase, 'waiting');
    await engine.stop(refOf(fleet));
    assert.match(log.lines.at(-1) ?? '', /^warn 1 of 1 jobs wait for CPUs/);
  });

  it('what a shard said last is the reason of its failure', { skip }, async (t) => {
    const { engine } = await openEngine(t);
    const fleet = newFleet({ shards: 1, arguments: ['run', '--no-such-option'] });
    await engine.submit(fleet);
    const { phase, shards } = await untilEnded(engine, fleet);
    assert.equal(phase, 'failed');
    assert.equal(shards[0]?.exitCode, 2);
    assert.match(shards[0].reason ?? '', /no-such-option/);
  });

  it('a program that is not there ends with 127', { skip }, async (t) => {
    const { engine } = await openEngine(t, { entrypoint: '/no/such/program' });
    const fleet = newFleet({ shards: 1 });
    await engine.submit(fleet);
    const { shards } = await untilEnded(engine, fleet);
    assert.deepEqual([shards[0]?.phase, shards[0]?.exitCode], ['failed', 127]);
  });

  it('a fleet that Ray does not know has no state, and nothing to stop', { skip }, async (t) => {
    const { engine } = await openEngine(t);
    const fleet = refOf(newFleet());
    assert.equal(await engine.state(fleet), undefined);
    assert.equal(await engine.state({ ...fleet, shards: 0 }), undefined);
    await engine.stop(fleet);
  });

  it('without the token of the cluster nothing is started', { skip }, async (t) => {
    for (const [token, words] of [
      ['', /Missing authentication token .*\(HTTP 401\)\. Set RAY_AUTH_TOKEN/],
      ['not-the-one', /Invalid authentication token .*\(HTTP 403\)\. The token in RAY_AUTH_TOKEN/],
    ] as const) {
      const { engine } = await openEngine(t, { token });
      await assert.rejects(engine.submit(newFleet()), { code: 'USAGE', message: words });
    }
  });

  it('the token may lie in a file', { skip }, async (t) => {
    const folder = await tempFolder(t);
    await writeFiles(folder, { token: `${rayToken()}\n` });
    const { createRayEngine } = await import('#embatch/engines/ray/engine.js');
    const { log } = await openEngine(t);
    const engine = await createRayEngine(
      { address: undefined, entrypoint: undefined, cpu: undefined, memory: undefined },
      { log, environment: { RAY_API_SERVER_ADDRESS: rayUrl(), RAY_AUTH_TOKEN_PATH: join(folder, 'token') } },
    );
    assert.equal(await engine.state(refOf(newFleet())), undefined);
    await engine.close();
  });

  it('a job whose answer is lost is not sent twice', { skip }, async (t) => {
    const proxy = await proxyTo(t, rayUrl());
    proxy.add({ fault: { kind: 'cut', bytes: 0 }, when: isSubmit, times: 1 });
    const { engine, log } = await openEngine(t, { address: proxy.url });
    const fleet = newFleet();
    await engine.submit(fleet);
    assert.equal(proxy.requests.filter(isSubmit).length, 2);
    assert.match(log.lines.join('\n'), /warn ray took the job .*, though its answer was lost/);
    assert.equal((await untilEnded(engine, fleet)).phase, 'succeeded');
  });

  it('where one job is not taken, the others are taken back', { skip }, async (t) => {
    const proxy = await proxyTo(t, rayUrl());
    proxy.add({ fault: { kind: 'drop' }, when: isSubmit, times: 1 });
    const { entrypoint } = await patientProgram(t);
    const { engine } = await openEngine(t, { address: proxy.url, entrypoint });
    const fleet = newFleet({ shards: 3 });
    await assert.rejects(engine.submit(fleet), { code: 'ENGINE', message: /cannot be reached/ });
    // A busy Ray may write a job down once more after it was deleted; but none may run.
    const left = (await engine.state(refOf(fleet)))?.shards ?? [];
    assert.deepEqual(
      left.filter(({ phase }) => phase === 'waiting' || phase === 'running'),
      [],
    );
    assert.equal(proxy.requests.filter(({ url }) => url.endsWith('/stop')).length, 2);
  });
});
