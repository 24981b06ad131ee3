/**
 * npm test [-- unit|services|e2e|FILE …] [--node-test-option …], npm run test:ray, npm run test:kubernetes
 * Sets up what is missing, starts the servers that the chosen tests need, runs them and stops the servers.
 *
 * EMBATCH_TEST_SKIP_SERVICES=1 lets tests be skipped whose servers cannot be had; addresses of running servers are
 * taken from the variables that services/settings.mjs names.
 */
import { existsSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { testEnvironment } from './lib/environment.mjs';
import { run, runMain, ScriptError } from './lib/process.mjs';
import { at, filesBelow, root } from './lib/project.mjs';
import { startServices } from './services/index.mjs';
import { servicesNeeded } from './services/needs.mjs';
import { setup } from './setup.mjs';

const groups = ['unit', 'conformance', 'services', 'e2e', 'faults'];
/** Groups that run only where they are named: what they need is large, and not to be had everywhere. */
const onRequest = ['ray', 'kubernetes'];
/** A test that hangs must end; none should come near it. */
const hangMs = 600_000;

/** @returns {string[]} compiled test files, absolute */
function chosenFiles(names) {
  const isTest = (name) => name.endsWith('.test.js');
  if (names.length === 0) {
    const left = onRequest.map((group) => at('build/test', group) + path.sep);
    return filesBelow(at('build/test'), isTest).filter(
      (file) => !left.some((folder) => file.startsWith(folder)),
    );
  }
  return names.flatMap((name) => {
    const source = [...groups, ...onRequest].includes(name) ? at('test', name) : path.resolve(name);
    const compiled = path
      .resolve(at('build/test'), path.relative(at('test'), source))
      .replace(/\.ts$/, '.js');
    const direct = [compiled, source].find((file) => file.startsWith(at('build/test')) && existsSync(file));
    const found = direct === undefined || statSync(direct).isFile() ? direct : filesBelow(direct, isTest);
    if (found === undefined || found.length === 0) {
      throw new ScriptError(
        `no tests in '${name}': give a group (${[...groups, ...onRequest].join(', ')}), a file or a folder of test/`,
      );
    }
    return found;
  });
}

const tolerated = process.env.EMBATCH_TEST_SKIP_SERVICES === '1';

/** Loud, because a green run in which half was left out reads like a green run. */
function announceMissing(missing) {
  const line = '='.repeat(100);
  console.error(`\n${line}\nSERVERS THAT TESTS NEED ARE MISSING:`);
  for (const message of missing) console.error(`  - ${message}`);
  if (tolerated) console.error('EMBATCH_TEST_SKIP_SERVICES=1: the tests that need them are SKIPPED.');
  console.error(`${line}\n`);
  if (!tolerated) {
    throw new ScriptError(
      'the tests did not run; EMBATCH_TEST_SKIP_SERVICES=1 runs those that need no such server',
    );
  }
}

async function main() {
  const names = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
  const options = process.argv.slice(2).filter((argument) => argument.startsWith('-'));
  await setup({ withTests: true });
  const files = chosenFiles(names);
  if (files.length === 0) throw new ScriptError('there is not a single test');
  const needed = servicesNeeded(files);
  if (needed.length === 0) console.log('services: none needed');

  const stopped = new AbortController();
  let child;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      stopped.abort(new ScriptError(`stopped by ${signal}`));
      child?.kill(signal);
    });
  }
  const servers = await startServices(needed, { signal: stopped.signal });
  let code;
  try {
    stopped.signal.throwIfAborted();
    if (servers.missing.length > 0) announceMissing(servers.missing);
    if (servers.missing.length > 0 && !tolerated) {
      throw new ScriptError(
        'no test was run; EMBATCH_TEST_SKIP_SERVICES=1 runs those that need no such server',
      );
    }
    const concurrency = Math.max(2, Math.min(4, os.availableParallelism()));
    const defaults = [`--test-concurrency=${String(concurrency)}`, `--test-timeout=${String(hangMs)}`];
    const listed = files.map((file) => path.relative(root, file));
    code = await run(
      process.execPath,
      ['--test', '--test-reporter=spec', ...defaults, ...options, ...listed],
      {
        env: testEnvironment(process.env, servers.environment),
        onSpawn: (started) => (child = started),
      },
    );
  } finally {
    await servers.stop();
  }
  if (servers.missing.length > 0) announceMissing(servers.missing);
  if (code !== 0) for (const log of servers.logs) console.error(`server log: ${log}`);
  stopped.signal.throwIfAborted();
  return code;
}

await runMain(main);
