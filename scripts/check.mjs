/**
 * npm run check: everything short of running the tests. All steps run, also after one failed.
 */
import { existsSync } from 'node:fs';
import { build } from './build.mjs';
import { checkDependencies } from './checks/dependencies.mjs';
import { checkTrackedFiles } from './checks/tracked-files.mjs';
import { run, runMain, ScriptError } from './lib/process.mjs';
import { at } from './lib/project.mjs';

/** Runs a tool of node_modules; without npx, which takes a second and may ask. */
async function tool(file, ...args) {
  const code = await run(process.execPath, [at('node_modules', file), ...args]);
  if (code !== 0) throw new ScriptError(`exit code ${String(code)}`);
}

function report(findings) {
  for (const line of findings) console.error(line);
  if (findings.length > 0) throw new ScriptError(`${String(findings.length)} found`);
}

const steps = {
  format: () => tool('prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.'),
  // Before lint: the rules that know types read the compiled declarations where tests import the product.
  types: () => build({ withTests: true }),
  lint: () => tool('eslint/bin/eslint.js', '.'),
  'dead code': () => tool('knip/bin/knip.js', '--no-progress'),
  'docs in step': async () => {
    if (!existsSync(at('scripts/docs.mjs'))) return;
    const code = await run(process.execPath, [at('scripts/docs.mjs'), '--check']);
    if (code !== 0) throw new ScriptError('generated pages are stale: run node scripts/docs.mjs');
  },
  dependencies: () => report(checkDependencies()),
  'tracked files': async () => report(await checkTrackedFiles()),
};

async function main() {
  const results = [];
  for (const [name, step] of Object.entries(steps)) {
    console.log(`── ${name}`);
    const start = performance.now();
    const failure = await Promise.resolve()
      .then(step)
      .catch((error) => error);
    if (failure !== undefined && !(failure instanceof ScriptError)) throw failure;
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    results.push({ name, failure, line: `${failure === undefined ? '✔' : '✖'} ${name} (${seconds} s)` });
  }
  console.log('── summary');
  for (const { line, failure } of results)
    console.log(failure === undefined ? line : `${line}: ${failure.message}`);
  return results.some(({ failure }) => failure !== undefined) ? 1 : 0;
}

await runMain(main);
